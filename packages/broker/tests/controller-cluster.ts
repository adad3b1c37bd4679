import type { Millis } from "@mantou/base";
import { logId } from "@mantou/base";
import type { PortableIo, Scheduler } from "@mantou/io";
import { EVENT_WORDS, Event, EventKind, MemoryDisk, Table, openPortableIo } from "@mantou/io";
import type { Message, RoleChange } from "raft-ts";
import type { Ambient } from "../src/ambient.ts";
import { ControllerDriver } from "../src/drivers/controller.ts";
import type { ControllerSettings, StateMachine } from "../src/drivers/controller-parts.ts";

const METADATA = logId(0);
const DIRECTORY = "/data";

/** Time that passes when a test says so. Tasks of one moment run in the order of their calls. */
export class VirtualTime implements Scheduler {
  private tasks: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = [];
  private clockMs = 1_000;
  private order = 0;

  nowMs(): number {
    return this.clockMs;
  }

  soon(run: () => void): void {
    this.after(0, run);
  }

  after(delayMs: number, run: () => void): () => void {
    const task = { atMs: this.clockMs + delayMs, order: this.order++, run };
    this.tasks.push(task);
    return () => {
      this.tasks = this.tasks.filter((other) => other !== task);
    };
  }

  /** Runs until the condition holds. Fails after `limitMs` of virtual time, or when nothing is due. */
  async until(what: string, holds: () => boolean, limitMs = 30_000): Promise<void> {
    const endMs = this.clockMs + limitMs;
    while (!holds()) {
      await settled();
      if (holds()) return;
      if (!this.runNext(endMs)) throw new Error(`never: ${what}`);
    }
  }

  async forMs(ms: number): Promise<void> {
    const endMs = this.clockMs + ms;
    do await settled();
    while (this.runNext(endMs));
    this.clockMs = endMs;
  }

  private runNext(endMs: number): boolean {
    this.tasks.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    const next = this.tasks[0];
    if (next === undefined || next.atMs > endMs) return false;
    this.tasks.shift();
    this.clockMs = Math.max(this.clockMs, next.atMs);
    next.run();
    return true;
  }
}

/** Turns of the microtask queue: more than any chain of promises in the driver is long. */
const TURNS = 40;

/** Lets everything run that waits for a promise. Nothing here waits for the real world. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve();
}

/** The text of everything that was applied, in order. */
export class Notes implements StateMachine {
  text: string[] = [];
  indices: number[] = [];
  restores = 0;

  apply(index: number, data: Uint8Array): void {
    this.text.push(new TextDecoder().decode(data));
    this.indices.push(index);
  }

  snapshot(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(this.text));
  }

  restore(bytes: Uint8Array): void {
    this.text = JSON.parse(new TextDecoder().decode(bytes)) as string[];
    this.restores += 1;
  }
}

export const note = (text: string): Uint8Array => new TextEncoder().encode(text);

/** One node: an engine in memory, the driver, and the loop that a broker would run. */
export class Node {
  readonly notes = new Notes();
  readonly roles: RoleChange[] = [];
  readonly log: string[] = [];
  readonly fatal: string[] = [];
  readonly io: PortableIo;
  readonly driver: ControllerDriver;
  timersArmed = 0;
  started = false;
  failure: unknown = null;
  private up = true;
  private readonly events = new Table(EVENT_WORDS, 64);

  constructor(
    readonly id: number,
    readonly cluster: Cluster,
    readonly disk: MemoryDisk,
    directoryId: string,
    arenaBytes = 2 << 20,
  ) {
    const { time } = cluster;
    this.io = openPortableIo({ disk, scheduler: time, arenaBytes });
    this.io.onEvents(() => this.run());
    this.driver = new ControllerDriver({
      io: this.io,
      ambient: this.ambient(),
      logId: METADATA,
      nodeId: id,
      directoryId,
      clusterId: "cluster",
      machine: this.notes,
      voters: cluster.voters,
      peers: { send: (message, checkpoint) => cluster.carry(message, checkpoint) },
      onLeaderChange: (role) => this.roles.push(role),
      settings: cluster.settings,
    });
  }

  get isUp(): boolean {
    return this.up;
  }

  get isLeader(): boolean {
    return this.up && this.started && this.driver.status().role === "leader";
  }

  async open(): Promise<void> {
    await this.io.logs.open({
      dataDirectory: DIRECTORY,
      reserveBytes: 0,
      freeBytesMin: 0,
      groupHoldMs: 0,
      flush: "auto",
      filesOpenMax: 0,
    });
    await this.driver.start();
  }

  /** What a running broker does with the engine's events. */
  private run(): void {
    if (!this.up) return;
    const { events } = this;
    for (let rows = events.capacity; rows === events.capacity;) {
      rows = this.io.drain(events);
      for (let row = 0; row < rows; row += 1) {
        if (events.word(row, Event.kind) === EventKind.DURABLE) {
          this.driver.onDurable(events.double(row, Event.offsetF64));
        }
        if (events.word(row, Event.kind) === EventKind.LOG_FAILED) {
          this.driver.onLogFailed(events.word(row, Event.code));
        }
      }
    }
  }

  /** The machine loses power; so many of the unsynced batches had reached the disk. */
  crash(survivors = 0): void {
    this.up = false;
    this.disk.crash((_log, count) => Math.min(survivors, count));
    void this.driver.stop();
  }

  /** An orderly stop. */
  async stop(): Promise<void> {
    const stopped = this.driver.stop().then(() => this.io.close());
    let done = false;
    void stopped.then(() => (done = true));
    await this.cluster.time.until("the node has stopped", () => done);
    this.up = false;
  }

  private ambient(): Ambient {
    const { time } = this.cluster;
    const line =
      (level: string) =>
      (event: string, fields: object = {}) => {
        this.log.push(`${level} ${event} ${JSON.stringify(fields)}`);
      };
    return {
      clock: { wallMs: () => (1.7e12 + time.nowMs()) as Millis, monotonicMs: () => time.nowMs() },
      timers: {
        after: (delayMs, run) => {
          this.timersArmed += 1;
          let isArmed = true;
          const disarm = (): void => {
            if (isArmed) this.timersArmed -= 1;
            isArmed = false;
          };
          const cancel = time.after(delayMs, () => {
            disarm();
            if (this.up) run();
          });
          return () => {
            disarm();
            cancel();
          };
        },
      },
      logger: { info: line("info"), warn: line("warn"), error: line("error") },
      hostName: "localhost",
      randomBytes: (length) => new Uint8Array(length).fill(this.id),
      fatal: (reason, error) => this.fatal.push(`${reason}: ${String(error)}`),
    };
  }
}

/** Nodes on one virtual clock, and a network that delivers in order unless a link is cut. */
export class Cluster {
  readonly time = new VirtualTime();
  readonly nodes = new Map<number, Node>();
  readonly cut = new Set<string>();
  readonly sent: Message[] = [];
  private readonly disks = new Map<number, MemoryDisk>();

  constructor(
    readonly voters: readonly number[],
    readonly settings: Partial<ControllerSettings> = {},
  ) {}

  disk(id: number): MemoryDisk {
    const disk = this.disks.get(id) ?? new MemoryDisk();
    this.disks.set(id, disk);
    return disk;
  }

  /** Makes a node on its disk and begins to start it. */
  launch(id: number, arenaBytes?: number): Node {
    const disk = this.disk(id);
    const directoryId = disk.directory(DIRECTORY).directoryId;
    const node = new Node(id, this, disk, directoryId, arenaBytes);
    this.nodes.set(id, node);
    node.open().then(
      () => (node.started = true),
      (error: unknown) => (node.failure = error),
    );
    return node;
  }

  async start(id: number, arenaBytes?: number): Promise<Node> {
    const node = this.launch(id, arenaBytes);
    await this.time.until(`node ${id} starts`, () => node.started || node.failure !== null);
    if (node.failure !== null) throw node.failure;
    return node;
  }

  async startAll(): Promise<Node[]> {
    const nodes = this.voters.map((id) => this.launch(id));
    await this.time.until("all nodes start", () => nodes.every((node) => node.started));
    return nodes;
  }

  /** The leader that the most recent term has. */
  async leader(): Promise<Node> {
    const leaders = (): Node[] => [...this.nodes.values()].filter((node) => node.isLeader);
    await this.time.until("somebody leads", () => leaders().length > 0);
    const term = (node: Node): number => node.driver.status().term;
    return leaders().sort((a, b) => term(b) - term(a))[0] as Node;
  }

  /** Waits for a promise while time passes. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const finish = (): void => void (done = true);
    promise.then(finish, finish);
    await this.time.until("the promise settles", () => done);
    return promise;
  }

  carry(message: Message, checkpoint: Uint8Array | null): void {
    this.sent.push(message);
    this.time.after(1, () => {
      const { from, to } = message;
      const node = this.nodes.get(to);
      if (node?.isUp === true && !this.cut.has(`${from}>${to}`)) {
        node.driver.receive(message, checkpoint);
      } else if (checkpoint !== null) {
        // A connection that breaks while it carries a checkpoint is noticed.
        this.nodes.get(from)?.driver.checkpointFailed(to);
      }
    });
  }

  isolate(id: number): void {
    for (const other of this.nodes.keys()) this.cut.add(`${id}>${other}`).add(`${other}>${id}`);
  }
}

export const directoryOf = (disk: MemoryDisk): ReturnType<MemoryDisk["directory"]> =>
  disk.directory(DIRECTORY);
