import {
  type Entry,
  type Input,
  type MembershipChange,
  type Outbox,
  Raft,
  describeEntries,
  describeEntry,
  describeMembership,
  describeMessage,
  describeRefusal,
} from "../src/index.ts";
import { type Envelope, SimNode, type Watcher, simOptions } from "./sim-node.ts";

/**
 * Reads a transcript: blocks of commands, `----`, and what the nodes said. Returns the same text
 * with what they say now. Messages are shown when they arrive, writes when they are handed out.
 */
export function replay(text: string): string {
  const stage = new Stage();
  const blocks = text.trimEnd().split(/\n\n+/);
  return `${blocks.map((block) => replayBlock(stage, block)).join("\n\n")}\n`;
}

function replayBlock(stage: Stage, block: string): string {
  const lines = block.split("\n");
  const end = lines.indexOf("----");
  const head = end === -1 ? lines : lines.slice(0, end);
  const commands = head.filter((line) => !line.startsWith("#") && line.trim() !== "");
  if (commands.length === 0) return head.join("\n");
  const words = commands.flatMap((command) => stage.run(command));
  return [...head, "----", ...(words.length > 0 ? words : ["ok"])].join("\n");
}

/** A few nodes, a clock that stands still, and messages that wait to be delivered. */
class Stage implements Watcher {
  private readonly nodes = new Map<number, SimNode>();
  private flight: Envelope[] = [];
  private readonly slow = new Set<number>();
  private readonly cut = new Set<string>();
  private now = 0;
  private said: string[] = [];

  run(command: string): string[] {
    this.said = [];
    const [verb = "", ...words] = command.trim().split(/\s+/);
    const act = this.verbs[verb];
    if (act === undefined) throw new Error(`unknown command: ${command}`);
    act(words);
    this.flushAll();
    return this.said;
  }

  private readonly verbs: Record<string, (words: string[]) => void> = {
    cluster: (words) => this.cluster(words),
    campaign: ([id]) => this.input(id, { kind: "campaign" }),
    propose: ([id, ...texts]) => {
      this.input(id, { kind: "propose", data: texts.map((t) => new TextEncoder().encode(t)) });
    },
    read: ([id, read]) => this.input(id, { kind: "read", id: Number(read) }),
    transfer: ([id, to]) => this.input(id, { kind: "transfer", to: Number(to) }),
    unreachable: ([id, to]) => this.input(id, { kind: "unreachable", to: Number(to) }),
    change: ([id, type, who]) => {
      const change = { type, id: Number(who) } as MembershipChange;
      this.input(id, { kind: "changeMembership", change });
    },
    tick: ([id]) => {
      this.now = Math.max(this.now, this.node(id).armed ?? this.now);
      this.input(id, { kind: "tick" });
    },
    wait: ([ms]) => this.wait(Number(ms)),
    run: ([ms]) => this.quietly(() => this.runFor(Number(ms))),
    elect: ([id]) => {
      this.quietly(() => {
        this.input(id, { kind: "campaign" });
        this.settle();
      });
    },
    deliver: (words) => this.deliver(words[0] ?? "*", Number(words[1] ?? 1_000)),
    drop: ([link]) => this.drop(link ?? "*"),
    settle: () => this.settle(),
    slow: ([id]) => void this.slow.add(Number(id)),
    disk: ([id, count]) => this.disk(this.node(id), Number(count ?? 1_000)),
    fast: ([id]) => void this.slow.delete(Number(id)),
    cut: ([id]) => {
      for (const other of this.nodes.keys()) {
        if (other === Number(id)) continue;
        this.cut.add(`${id}->${other}`).add(`${other}->${id}`);
      }
    },
    heal: () => this.cut.clear(),
    crash: ([id]) => this.node(id).crash(0, 0),
    start: ([id]) => this.node(id).start(this.now),
    snapshot: ([id, keep]) => {
      const taken = this.node(id).takeSnapshot(Number(keep ?? 0), this.now);
      const { index, term } = this.node(id).disk.snapshot.meta;
      this.say(taken ? `${id} has a snapshot ${index}/${term}` : `${id} takes none`);
    },
    status: (ids) => this.status(ids),
    peers: ([id]) => this.peers(id),
    log: ([id]) => this.log(this.node(id)),
  };

  private node(id: string | undefined): SimNode {
    const node = this.nodes.get(Number(id));
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  private say(line: string): void {
    this.said.push(line);
  }

  private cluster(words: string[]): void {
    const settings = Object.fromEntries(words.slice(1).map((word) => word.split("=")));
    const { spare, ...rest } = settings as Record<string, string>;
    const ids = (words[0] ?? "").split(",").map(Number);
    const options = Object.fromEntries(Object.entries(rest).map(([k, v]) => [k, Number(v)]));
    for (const id of [...ids, ...(spare ?? "").split(",").filter(Boolean).map(Number)]) {
      const node = new SimNode(id, ids, Raft, this, 1, { ...simOptions, ...options });
      this.nodes.set(id, node);
      node.start(this.now);
    }
  }

  private input(id: string | undefined, input: Input): void {
    this.answer(this.node(id).step(input, this.now));
  }

  private answer(answer: ReturnType<Raft["step"]>): void {
    if (!answer.ok) this.say(`  refused: ${describeRefusal(answer.error)}`);
  }

  /** Lets time pass; whoever's deadline comes up ticks. Nothing is delivered meanwhile. */
  private wait(ms: number): void {
    const untilMs = this.now + ms;
    for (;;) {
      const due = [...this.nodes.values()]
        .filter((node) => (node.armed ?? Number.POSITIVE_INFINITY) <= untilMs)
        .sort((a, b) => (a.armed as number) - (b.armed as number))[0];
      if (due === undefined) break;
      this.now = Math.max(this.now, due.armed as number);
      this.answer(due.step({ kind: "tick" }, this.now));
      this.flushAll();
    }
    this.now = untilMs;
  }

  /** Time with a network that delivers at once. */
  private runFor(ms: number): void {
    for (const untilMs = this.now + ms; this.now < untilMs;) {
      this.wait(1);
      this.settle();
    }
  }

  private quietly(act: () => void): void {
    const said = this.said;
    this.said = [];
    act();
    this.said = said;
  }

  private take(link: string, count: number): Envelope[] {
    const [from, to] = link.split("->");
    const taken: Envelope[] = [];
    const rest: Envelope[] = [];
    for (const envelope of this.flight) {
      const { message } = envelope;
      const fits =
        (link === "*" || from === "*" || Number(from) === message.from) &&
        (link === "*" || to === "*" || Number(to) === message.to);
      (fits && taken.length < count ? taken : rest).push(envelope);
    }
    this.flight = rest;
    return taken;
  }

  /** What is on its way now; not what the deliveries cause. */
  private deliver(link: string, count: number): void {
    for (const envelope of this.take(link, count)) this.arrive(envelope);
  }

  private arrive(envelope: Envelope): void {
    const { message } = envelope;
    const node = this.nodes.get(message.to);
    const lost = node === undefined || !node.isUp || this.cut.has(`${message.from}->${message.to}`);
    this.say(`${describeMessage(message)}${lost ? " (lost)" : ""}`);
    if (lost) return;
    this.answer(node.receive(envelope, this.now));
    this.flushAll();
  }

  private drop(link: string): void {
    for (const { message } of this.take(link, 1_000)) {
      this.say(`${describeMessage(message)} (lost)`);
    }
  }

  private settle(): void {
    this.flushAll();
    while (this.flight.length > 0) this.deliver("*", 1);
  }

  private flushAll(): void {
    for (const node of this.nodes.values()) {
      if (!this.slow.has(node.id) && node.isUp) this.disk(node, 1_000);
    }
  }

  private disk(node: SimNode, count: number): void {
    for (let at = 0; at < count && node.writes.length > 0; at += 1) node.completeWrite(this.now);
  }

  private status(ids: string[]): void {
    for (const id of ids.length > 0 ? ids : [...this.nodes.keys()].map(String)) {
      const { raft } = this.node(id);
      if (raft === null) this.say(`${id} is down`);
      else {
        const s = raft.status();
        const vote = s.votedFor === null ? "" : ` voted=${s.votedFor}`;
        const leader = s.leader === null ? "" : ` leader=${s.leader}`;
        this.say(
          `${id} ${s.role} term=${s.term}${vote}${leader} last=${s.lastIndex}/${s.lastTerm} ` +
            `commit=${s.commit} ${describeMembership(s.membership)}`,
        );
      }
    }
  }

  private peers(id: string | undefined): void {
    for (const peer of this.node(id).raft?.status().peers ?? []) {
      this.say(
        `${peer.id} ${peer.state} match=${peer.match} next=${peer.next} inflight=${peer.inflight}`,
      );
    }
  }

  private log(node: SimNode): void {
    const { hardState, snapshot, entries } = node.disk;
    this.say(
      `disk of ${node.id}: term=${hardState.term} voted=${hardState.votedFor ?? "none"} ` +
        `snapshot=${snapshot.meta.index}/${snapshot.meta.term}`,
    );
    for (const entry of entries) this.say(`  ${describeEntry(entry)} ${textOf(entry)}`.trimEnd());
  }

  // --- what nodes tell ---

  send(_node: SimNode, envelope: Envelope): void {
    this.flight.push(envelope);
  }

  outbox(node: SimNode, outbox: Outbox): void {
    const { persist, role, snapshotToInstall, reads, readsLost } = outbox;
    if (role !== null) {
      const leader = role.role === "follower" ? ` of ${role.leader ?? "nobody"}` : "";
      this.say(`  ${node.id} is ${role.role}${leader} in term ${role.term}`);
    }
    if (persist !== null) this.say(`  ${node.id} writes ${describePersist(persist)}`);
    if (snapshotToInstall !== null) {
      this.say(
        `  ${node.id} installs snapshot ${snapshotToInstall.index}/${snapshotToInstall.term}`,
      );
    }
    for (const read of reads) this.say(`  ${node.id} may read ${read.id} at ${read.index}`);
    for (const id of readsLost) this.say(`  ${node.id} has lost read ${id}`);
  }

  applied(node: SimNode, entry: Entry): void {
    this.say(`  ${node.id} applies ${describeEntry(entry)} ${textOf(entry)}`.trimEnd());
  }
}

const textOf = (entry: Entry): string =>
  entry.kind === "normal" ? new TextDecoder().decode(entry.data) : "";

function describePersist(persist: NonNullable<Outbox["persist"]>): string {
  const { hardState, snapshot, truncateFrom, entries, messages } = persist;
  const parts = [
    hardState === null ? "" : `term=${hardState.term} voted=${hardState.votedFor ?? "none"}`,
    snapshot === null ? "" : `snapshot=${snapshot.index}/${snapshot.term}`,
    truncateFrom === null ? "" : `truncate=${truncateFrom}`,
    entries.length === 0 ? "" : `entries=${describeEntries(entries)}`,
    messages.length === 0
      ? ""
      : `then ${messages.map(({ type, to }) => `${type}->${to}`).join(" ")}`,
  ];
  return `#${persist.ticket} ${parts.filter(Boolean).join(" ")}`;
}
