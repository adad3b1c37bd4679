import { Prng } from "@mantou/base";
import type { Actor, Phase, World } from "./actor.ts";
import { checkers } from "./checkers/index.ts";
import { BatchReader } from "./clients/batches.ts";
import type { TopicLife } from "./history.ts";
import { History, whereOf } from "./history.ts";
import type { Instance } from "./machine.ts";
import { Machine } from "./machine.ts";
import { Nemesis } from "./nemesis.ts";
import { VirtualTime } from "./time.ts";
import { Trace } from "./trace.ts";
import { Wires } from "./wires.ts";
import { Admin } from "./workload/admin.ts";
import { Auditor } from "./workload/auditor.ts";
import { crew, SETTINGS, STANDING_TOPICS } from "./workload/crew.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** Events until everything is healed. */
  readonly steps?: number;
  /** Takes every line of the trace. */
  readonly trace?: (line: string) => void;
  /** Breaks each life of the broker before it starts: for planted bugs. */
  readonly plant?: (instance: Instance) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly hash: string;
  readonly steps: number;
  /** Lives of the broker. */
  readonly lives: number;
  readonly acknowledged: number;
  readonly reads: number;
  readonly transactions: number;
  /** Offsets that groups have committed, and partitions that members have had. */
  readonly commits: number;
  readonly ownerships: number;
  readonly virtualMs: number;
  readonly faults: readonly string[];
  /** The end of the trace, for the report of a failure. */
  readonly tail: readonly string[];
}

export const STEPS_DEFAULT = 6_000;
/** Faults that are kept: the first ones say everything. */
const FAULTS_MAX = 20;
/** A healed run comes to rest within so much of its own time, or it never will. */
const CONVERGENCE_MS = 180_000;
/** More events than any run needs: a broker that spins while time stands still. */
const STEPS_MAX = 5_000_000;

/** One run. Everything in it follows the seed. */
export class Simulation implements World {
  readonly time = new VirtualTime();
  readonly history = new History();
  readonly batches = new BatchReader();
  readonly standing = new Map<string, TopicLife>();
  readonly trace: Trace;
  readonly wires: Wires;
  phase: Phase = "busy";
  private readonly machine: Machine;
  private readonly nemesis: Nemesis;
  private readonly admin: Admin;
  private readonly actors: Actor[] = [];
  private readonly defects: string[] = [];
  private readonly prng: Prng;
  private values = 0;
  private livesSeen = 0;

  constructor(private readonly options: SimulationOptions) {
    this.prng = new Prng(options.seed);
    this.trace = new Trace(() => this.time.nowMs, options.trace ?? null);
    this.wires = new Wires(new Prng(this.prng.u32()));
    const { time, wires, trace } = this;
    this.machine = new Machine({
      time,
      wires,
      trace,
      prng: new Prng(this.prng.u32()),
      settings: SETTINGS,
      onDefect: (text) => this.defect(text),
      plant: options.plant,
    });
    this.nemesis = new Nemesis({
      time,
      wires,
      trace,
      machine: this.machine,
      prng: new Prng(this.prng.u32()),
      victims: { crashOne: () => this.crashOne() },
    });
    this.admin = new Admin(this, "admin", this.prng.u32());
  }

  defect(text: string): void {
    if (this.defects.length >= FAULTS_MAX || this.defects.includes(text)) return;
    this.trace.add("defect", text);
    this.defects.push(text);
  }

  nextValue(): number {
    return this.values++;
  }

  run(): SimulationResult {
    try {
      this.safety();
      if (this.defects.length === 0) this.liveness();
      if (this.defects.length === 0) this.judge();
    } catch (error) {
      this.defect(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return this.result();
  }

  /** The broker and its clients under faults. */
  private safety(): void {
    this.machine.start();
    this.admin.found(STANDING_TOPICS);
    this.runUntil("the first topics", () => this.admin.isFounded);
    this.hire();
    this.nemesis.start();
    const end = this.time.steps + (this.options.steps ?? STEPS_DEFAULT);
    while (this.time.steps < end && this.defects.length === 0) {
      this.nemesis.beforeStep();
      if (!this.step()) break;
    }
  }

  /** All is well again: everything that was begun comes to its end. */
  private liveness(): void {
    this.nemesis.heal();
    this.enter("finishing");
    const all = [this.admin, ...this.actors];
    const writers = all.filter((actor) => actor.isWriter && actor.process.isAlive);
    this.runUntil("work that was begun", () => writers.every(({ isDone }) => isDone), writers);
    // A client that died may have left a transaction open, and nobody may read where it is.
    this.runUntil("transactions of the dead", () => this.isStable());
    this.enter("draining");
    const readers = all.filter((actor) => !actor.isWriter && actor.process.isAlive);
    this.runUntil("what is to be read", () => readers.every(({ isDone }) => isDone), readers);
    // Once more from the disk: what was promised is not only in memory.
    this.machine.crash(() => 0, false);
    this.machine.start();
    this.runUntil("the last start", () => this.machine.isUp);
    const auditor = new Auditor(this, "auditor", this.prng.u32());
    auditor.start();
    this.runUntil("the audit", () => auditor.isDone, [auditor]);
    this.enter("over");
  }

  /** No transaction is open in any standing topic. */
  private isStable(): boolean {
    const { instance } = this.machine;
    if (instance === null || !instance.isServing) return false;
    const { partitions, producers } = instance.broker;
    for (const topic of this.standing.values()) {
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        const logId = instance.broker.logOf(topic.topicId, partition);
        if (logId === -1) return false;
        const end = partitions.highWatermark(logId);
        if (producers.lastStableOffset(logId, end) < end) return false;
      }
    }
    return true;
  }

  private judge(): void {
    for (const [name, check] of Object.entries(checkers)) {
      for (const fault of check(this.history)) this.defect(`${name}: ${fault}`);
    }
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    this.trace.add("phase", phase);
  }

  private hire(): void {
    for (const actor of crew(this, this.admin, this.prng)) {
      this.actors.push(actor);
      actor.start();
    }
  }

  private crashOne(): void {
    const alive = this.actors.filter((actor) => actor.process.isAlive && actor.successor !== null);
    if (alive.length === 0) return;
    const victim = this.prng.pick(alive);
    victim.crash();
    const next = victim.successor?.(this.prng.u32());
    victim.successor = null;
    if (next === undefined) return;
    this.actors.push(next);
    next.start();
  }

  private step(): boolean {
    if (this.time.steps > STEPS_MAX) throw new Error(`more than ${STEPS_MAX} events`);
    const went = this.time.step();
    this.observe();
    return went;
  }

  /** Notes the leader epochs of each new life. */
  private observe(): void {
    const { instance } = this.machine;
    if (instance === null || !instance.isServing || instance.number === this.livesSeen) return;
    this.livesSeen = instance.number;
    const { broker, number: life } = instance;
    for (const topic of this.standing.values()) {
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        const logId = broker.logOf(topic.topicId, partition);
        if (logId === -1) continue;
        const epoch = broker.partitions.leaderEpoch(logId);
        this.history.epochs.push({ where: whereOf(topic.topicId, partition), life, epoch });
      }
    }
  }

  private runUntil(what: string, isSo: () => boolean, actors: readonly Actor[] = []): void {
    const deadlineMs = this.time.nowMs + CONVERGENCE_MS;
    while (!isSo() && this.defects.length === 0) {
      if (this.phase === "busy") this.nemesis.beforeStep();
      else this.nemesis.revive();
      if (this.step() && this.time.nowMs < deadlineMs) continue;
      const late = actors.filter((actor) => !actor.isDone).map((actor) => actor.describe());
      this.defect(`liveness: ${what}: does not come to an end: ${late.join("; ")}`);
    }
  }

  private result(): SimulationResult {
    const { history } = this;
    return {
      seed: this.options.seed,
      hash: this.trace.hash,
      steps: this.time.steps,
      lives: this.machine.lives,
      acknowledged: history.sends.filter(({ outcome }) => outcome === "acked").length,
      reads: history.reads.length,
      transactions: history.transactions.length,
      commits: history.commits.filter(({ outcome }) => outcome === "acked").length,
      ownerships: history.ownerships.length,
      virtualMs: Math.round(this.time.nowMs),
      faults: this.defects,
      tail: this.trace.tail,
    };
  }
}

export const simulate = (options: SimulationOptions): SimulationResult =>
  new Simulation(options).run();
