import { Prng } from "@mantou/base";
import { type Entry, type MembershipChange, type NodeId, type Outbox, Raft } from "../src/index.ts";
import { Safety, SafetyError } from "./safety.ts";
import { type Envelope, type RaftClass, SimNode, type Watcher } from "./sim-node.ts";

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Drawn once per seed, so that one seed is all about crashes and another all about reordering. */
interface Plan {
  readonly voters: number;
  readonly spares: number;
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  readonly delayMsMax: number;
  readonly stragglerPercent: number;
  readonly diskMsMax: number;
  /** 1: every proposal travels alone, so that followers stop half-way. */
  readonly messageBytesMax: number;
  readonly weights: Readonly<Record<Action, number>>;
}

type Action =
  | "propose"
  | "read"
  | "crash"
  | "restart"
  | "partition"
  | "isolateLeader"
  | "stall"
  | "heal"
  | "snapshot"
  | "change"
  | "transfer"
  | "campaign"
  | "slowDisk"
  | "rest";

const ACTIONS = 400;
const STEP_MS_MAX = 25;
const CALM_MS = 20_000;

/** Leaders that come and go with tails of their own: figure 8's weather. */
const DEPOSED: Partial<Plan["weights"]> = { isolateLeader: 30, heal: 25, propose: 30, rest: 25 };
/** Members that come and go, under leaders that do. */
const CHANGING: Partial<Plan["weights"]> = { change: 60, isolateLeader: 20, heal: 20, propose: 20 };

function drawPlan(prng: Prng): Plan {
  const plan = drawAnyPlan(prng);
  const { weights } = plan;
  switch (prng.below(4)) {
    case 0:
      return {
        ...plan,
        voters: 3,
        messageBytesMax: 1,
        delayMsMax: prng.pick([20, 60]),
        weights: { ...weights, ...DEPOSED },
      };
    case 1:
      return {
        ...plan,
        voters: prng.between(2, 4),
        spares: 2,
        weights: { ...weights, ...CHANGING },
      };
    default:
      return plan;
  }
}

function drawAnyPlan(prng: Prng): Plan {
  const often = (low: number, high: number): number =>
    prng.chance(1, 3) ? 0 : prng.between(low, high);
  return {
    voters: prng.between(1, 5),
    spares: prng.between(0, 2),
    lossPercent: often(1, 25),
    duplicatePercent: often(1, 20),
    delayMsMax: prng.pick([1, 5, 20, 60]),
    stragglerPercent: often(1, 10),
    diskMsMax: prng.pick([0, 2, 10, 40]),
    messageBytesMax: prng.pick([1, 200, 1_000]),
    weights: {
      propose: 40,
      read: 8,
      crash: often(2, 10),
      restart: 12,
      partition: often(2, 10),
      isolateLeader: often(2, 12),
      stall: often(2, 10),
      heal: 8,
      snapshot: often(2, 12),
      change: often(2, 12),
      transfer: often(1, 6),
      campaign: often(1, 6),
      slowDisk: often(1, 6),
      rest: 20,
    },
  };
}

/**
 * A whole cluster on one virtual clock: first a phase with faults, in which only safety counts,
 * then a healed one, in which everybody must agree and make progress.
 */
export class Simulation implements Watcher {
  readonly safety = new Safety();
  readonly nodes: SimNode[] = [];
  events = 0;
  proposals = 0;
  private now = 0;
  private order = 0;
  private readonly prng: Prng;
  private readonly plan: Plan;
  private readonly queue: Event[] = [];
  private readonly blocked = new Set<string>();
  private readonly slow = new Set<NodeId>();
  private readonly stalledUntilMs = new Map<NodeId, number>();
  private readonly flushing = new Map<NodeId, Raft | null>();
  private calm = false;
  private reads = 0;
  private readonly actions: Action[] = [];

  constructor(
    readonly seed: number,
    RaftImpl: RaftClass = Raft,
  ) {
    this.prng = new Prng(seed);
    this.plan = drawPlan(this.prng);
    const { voters, spares, weights, messageBytesMax } = this.plan;
    for (const [action, weight] of Object.entries(weights)) {
      for (let at = 0; at < weight; at += 1) this.actions.push(action as Action);
    }
    const ids = Array.from({ length: voters }, (_, at) => at + 1);
    for (let id = 1; id <= voters + spares; id += 1) {
      this.nodes.push(new SimNode(id, ids, RaftImpl, this, seed, { messageBytesMax }));
    }
  }

  /** Throws on the first broken promise. */
  run(): void {
    for (const node of this.nodes) this.start(node);
    for (let at = 0; at < ACTIONS; at += 1) {
      this.runUntil(this.now + this.prng.below(STEP_MS_MAX));
      this.act(this.prng.pick(this.actions));
    }
    this.heal();
    this.converge();
  }

  // --- what nodes tell ---

  send(node: SimNode, envelope: Envelope): void {
    const { message } = envelope;
    this.safety.sent(node, message);
    const copies = !this.calm && this.chance(this.plan.duplicatePercent) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (!this.calm && this.chance(this.plan.lossPercent)) continue;
      this.later(this.delayMs(), () => this.arrive(envelope));
    }
  }

  outbox(node: SimNode, outbox: Outbox): void {
    this.safety.outbox(node, outbox);
    if (node.writes.length > 0) this.flush(node);
    const { armDeadlineMs } = outbox;
    if (armDeadlineMs === null) return;
    const tick = (): void => {
      // Only the latest armed deadline counts.
      if (node.isUp && node.armed === armDeadlineMs) this.step(node, { kind: "tick" });
    };
    this.later(Math.max(0, armDeadlineMs - this.now), () => this.onNode(node, tick));
  }

  applied(node: SimNode, entry: Entry): void {
    void entry;
    this.safety.applied(node);
  }

  // --- the world ---

  private chance(percent: number): boolean {
    return percent > 0 && this.prng.below(100) < percent;
  }

  private delayMs(): number {
    if (this.calm) return 1 + this.prng.below(3);
    if (this.chance(this.plan.stragglerPercent)) return this.prng.below(400);
    return this.prng.below(this.plan.delayMsMax + 1);
  }

  private arrive(envelope: Envelope): void {
    const { from, to } = envelope.message;
    if (this.blocked.has(`${from}>${to}`)) return;
    const node = this.nodes[to - 1] as SimNode;
    this.onNode(node, () => this.deliver(node, envelope));
  }

  private deliver(node: SimNode, envelope: Envelope): void {
    if (!node.isUp) return;
    const answer = node.receive(envelope, this.now);
    this.safety.checkStored(node, this.nodes);
    if (!answer.ok && answer.error.kind !== "busy") {
      throw new SafetyError(`${answer.error.kind}: ${JSON.stringify(answer.error)}`);
    }
  }

  private step(node: SimNode, input: Parameters<SimNode["step"]>[0]): ReturnType<SimNode["step"]> {
    const answer = node.step(input, this.now);
    this.safety.checkStored(node, this.nodes);
    return answer;
  }

  /** Group commit: one flush takes all writes that were there when it began, in their order. */
  private flush(node: SimNode): void {
    const { raft } = node;
    if (this.flushing.get(node.id) === raft || node.writes.length === 0) return;
    this.flushing.set(node.id, raft);
    const count = this.prng.between(1, node.writes.length);
    const slow = this.slow.has(node.id) ? 150 : this.plan.diskMsMax;
    const done = (): void => {
      // Writes of an earlier life are gone.
      if (node.raft !== raft) return;
      for (let at = 0; at < count; at += 1) node.completeWrite(this.now);
      this.safety.checkStored(node, this.nodes);
      this.flushing.delete(node.id);
      this.flush(node);
    };
    this.later(this.prng.below((this.calm ? 2 : slow) + 1), () => this.onNode(node, done));
  }

  private later(delayMs: number, run: () => void): void {
    this.order += 1;
    push(this.queue, { atMs: this.now + delayMs, order: this.order, run });
  }

  private runUntil(untilMs: number): void {
    while (this.queue.length > 0 && (this.queue[0] as Event).atMs <= untilMs) {
      const event = pop(this.queue);
      this.now = Math.max(this.now, event.atMs);
      this.events += 1;
      event.run();
    }
    this.now = Math.max(this.now, untilMs);
  }

  private start(node: SimNode): void {
    this.safety.started(node);
    node.start(this.now);
  }

  private get up(): SimNode[] {
    return this.nodes.filter((node) => node.isUp);
  }

  private leaders(): SimNode[] {
    return this.up.filter((node) => node.raft?.status().role === "leader");
  }

  private act(action: Action): void {
    const target = this.prng.pick(this.nodes);
    const leaders = this.leaders();
    const leader = leaders.length > 0 ? this.prng.pick(leaders) : null;
    switch (action) {
      case "propose":
        if (leader !== null) this.propose(leader);
        break;
      case "read":
        if (leader !== null) this.read(leader);
        break;
      case "crash":
        if (target.isUp)
          target.crash(this.prng.below(target.writes.length + 1), this.prng.below(6));
        break;
      case "restart":
        if (!target.isUp) this.start(target);
        break;
      case "partition":
        this.partition();
        break;
      case "isolateLeader":
        if (leader !== null) this.isolate(leader);
        break;
      case "stall":
        this.stall(leader ?? target);
        break;
      case "heal":
        this.blocked.clear();
        break;
      case "snapshot":
        if (target.isUp) target.takeSnapshot(this.prng.pick([0, 0, 3, 10]), this.now);
        break;
      case "change":
        if (leader !== null) this.step(leader, this.drawChange());
        break;
      case "transfer":
        if (leader !== null) this.step(leader, { kind: "transfer", to: target.id });
        break;
      case "campaign":
        if (target.isUp) this.step(target, { kind: "campaign" });
        break;
      case "slowDisk":
        if (!this.slow.delete(target.id)) this.slow.add(target.id);
        break;
      case "rest":
        this.runUntil(this.now + this.prng.below(300));
        break;
    }
  }

  private propose(node: SimNode): boolean {
    const count = this.prng.chance(1, 4) ? this.prng.between(2, 4) : 1;
    const data = Array.from({ length: count }, () => {
      this.proposals += 1;
      const bytes = new Uint8Array(4 + this.prng.below(30));
      new DataView(bytes.buffer).setUint32(0, this.proposals);
      return bytes;
    });
    return this.step(node, { kind: "propose", data }).ok;
  }

  private read(node: SimNode): void {
    this.reads += 1;
    this.safety.asked(this.reads);
    this.step(node, { kind: "read", id: this.reads });
  }

  private drawChange(): { kind: "changeMembership"; change: MembershipChange } {
    const type = this.prng.pick(["addLearner", "promote", "promote", "demote", "remove"] as const);
    return { kind: "changeMembership", change: { type, id: this.prng.pick(this.nodes).id } };
  }

  /** Cuts single links, one-way too, or splits the nodes in two. */
  private partition(): void {
    const pairs = this.nodes.flatMap(({ id: a }) => this.nodes.map(({ id: b }) => [a, b] as const));
    if (this.prng.chance(1, 2)) {
      for (const [a, b] of pairs) if (this.prng.chance(1, 4)) this.blocked.add(`${a}>${b}`);
      return;
    }
    const side = new Set(this.nodes.filter(() => this.prng.chance(1, 2)).map(({ id }) => id));
    for (const [a, b] of pairs) if (side.has(a) !== side.has(b)) this.blocked.add(`${a}>${b}`);
  }

  /** Cuts a leader off and lets it go on for a while; the others may elect another. */
  private isolate(leader: SimNode): void {
    const oneWay = this.prng.chance(1, 4);
    for (const { id } of this.nodes) {
      if (id === leader.id) continue;
      this.blocked.add(`${leader.id}>${id}`);
      if (!oneWay) this.blocked.add(`${id}>${leader.id}`);
    }
    for (let at = this.prng.below(8); at > 0; at -= 1) this.propose(leader);
    if (this.prng.chance(1, 3)) this.step(leader, this.drawChange());
  }

  /** A node that stands still for a while (garbage, a suspended machine) and does not know it. */
  private stall(node: SimNode): void {
    const untilMs = this.now + this.prng.between(50, 500);
    this.stalledUntilMs.set(node.id, untilMs);
    const { raft } = node;
    this.later(untilMs - this.now, () => {
      if (raft === null || node.raft !== raft) return;
      if (raft.status().role === "leader") this.read(node);
    });
  }

  /** Runs now, or when the node has woken up. */
  private onNode(node: SimNode, run: () => void): void {
    const waitMs = (this.stalledUntilMs.get(node.id) ?? 0) - this.now;
    if (waitMs > 0) this.later(waitMs, run);
    else run();
  }

  // --- the end ---

  private heal(): void {
    this.calm = true;
    this.blocked.clear();
    this.slow.clear();
    this.stalledUntilMs.clear();
    for (const node of this.nodes) if (!node.isUp) this.start(node);
  }

  /** Liveness: a leader, a new entry committed, and every member at the same state. */
  private converge(): void {
    const untilMs = this.now + CALM_MS;
    let proposedAt = 0;
    while (this.now < untilMs) {
      this.runUntil(this.now + 50);
      const leader = this.leaders().sort((a, b) => termOf(b) - termOf(a))[0];
      if (leader === undefined) continue;
      if (proposedAt === 0) {
        if (this.propose(leader)) proposedAt = (leader.raft as Raft).status().lastIndex;
        continue;
      }
      if (this.agrees(leader, proposedAt)) return;
      // The proposal may have been lost with its leader.
      if ((leader.raft as Raft).status().lastIndex < proposedAt) proposedAt = 0;
    }
    const states = this.nodes.map((node) => JSON.stringify(node.raft?.status()));
    throw new SafetyError(`no convergence in ${CALM_MS} ms\n${states.join("\n")}`);
  }

  private agrees(leader: SimNode, index: number): boolean {
    const { membership, commit } = (leader.raft as Raft).status();
    if (commit < index || leader.app.index !== commit) return false;
    const members = [...membership.voters, ...membership.learners];
    return members.every((id) => {
      const { app } = this.nodes[id - 1] as SimNode;
      return app.index === leader.app.index && app.digest === leader.app.digest;
    });
  }
}

const termOf = (node: SimNode): number => node.raft?.status().term ?? 0;

const before = (a: Event, b: Event): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** A binary heap, earliest first. */
function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (before(heap[parent] as Event, event)) break;
    heap[at] = heap[parent] as Event;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event {
  const top = heap[0] as Event;
  const last = heap.pop() as Event;
  if (heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event))
      child += 1;
    if (before(last, heap[child] as Event)) break;
    heap[at] = heap[child] as Event;
    at = child;
  }
  heap[at] = last;
  return top;
}
