import { type LogId, type Uuid, logId as toLogId, millis, offset } from "@mantou/base";
import {
  EVENT_WORDS,
  Event,
  EventKind,
  MemoryDisk,
  type PortableIo,
  type Scheduler,
  Table,
  openPortableIo,
} from "@mantou/io";
import { type DecodedBatch, ErrorCode, decodeBatches } from "@mantou/protocol";
import { PartitionTable } from "@mantou/replication";
import type { Ambient } from "../../src/ambient.ts";
import type { CoordinatorDriver } from "../../src/coordinators/coordinator-driver.ts";
import { Coordinators } from "../../src/coordinators/coordinators.ts";
import { testAmbient } from "../in-process-broker.ts";
import { type ToyCommand, ToyShard } from "./toy-shard.ts";

export const TOPIC = "__toy";
const TOPIC_ID = "dG95LXRvcGljLWlkLTAwMA" as Uuid;

/** Tasks of the engine in their order, run when the test says so. */
class Steps implements Scheduler {
  private readonly tasks: (() => void)[] = [];

  soon(task: () => void): void {
    this.tasks.push(task);
  }

  /** The engine's own timers (idle connections) have nothing to do here. */
  after(): () => void {
    return () => {};
  }

  nowMs(): number {
    return 0;
  }

  run(): boolean {
    const task = this.tasks.shift();
    task?.();
    return task !== undefined;
  }
}

/** Toy coordinators on the portable engine, with a clock and a disk that the test moves. */
export class ToyCoordinator {
  readonly log: string[] = [];
  readonly requested: string[] = [];
  nowMs = 1000;
  limits = { maxMessageBytes: 1000, segmentBytes: 100_000 };
  readonly table = new PartitionTable(1);
  readonly coordinators: Coordinators;
  readonly driver: CoordinatorDriver<ToyCommand, string, string>;
  readonly shards: ToyShard[] = [];
  private readonly steps = new Steps();
  private readonly events = new Table(EVENT_WORDS, 256);
  private readonly timers: { readonly dueMs: number; readonly call: () => void }[] = [];
  readonly io: PortableIo;

  private constructor(
    readonly disk: MemoryDisk,
    arenaBytes: number,
  ) {
    this.io = openPortableIo({ disk, scheduler: this.steps, arenaBytes });
    const ambient: Ambient = {
      ...testAmbient(this.log),
      clock: { wallMs: () => millis(5000 + this.nowMs), monotonicMs: () => this.nowMs },
      timers: {
        after: (delayMs, call) => {
          const timer = { dueMs: this.nowMs + delayMs, call };
          this.timers.push(timer);
          return () => void this.timers.splice(this.timers.indexOf(timer), 1);
        },
      },
    };
    this.coordinators = new Coordinators({
      ambient,
      arena: this.io.arena,
      logs: this.io.logs,
      partitions: this.table,
      transactionWritten: () => {},
      limitsOf: () => this.limits,
      flushSoon: () => {},
    });
    this.driver = this.coordinators.add<ToyCommand, string, string>({
      topic: TOPIC,
      newShard: (partition, leaderEpoch) => {
        const shard = new ToyShard(partition, leaderEpoch);
        this.shards.push(shard);
        return shard;
      },
      request: (request) => void this.requested.push(request),
    });
  }

  static async open(disk = new MemoryDisk(), arenaBytes = 1 << 22): Promise<ToyCoordinator> {
    const toy = new ToyCoordinator(disk, arenaBytes);
    await toy.settle(
      toy.io.logs.open({
        dataDirectory: "memory",
        reserveBytes: 0,
        freeBytesMin: 0,
        groupHoldMs: 0,
        flush: "auto",
        filesOpenMax: 0,
      }),
    );
    return toy;
  }

  /** Opens a partition's log as the partitions' driver does, and leads it. */
  async lead(partition: number, leaderEpoch = 1): Promise<LogId> {
    const logId = toLogId(partition + 1);
    const [state] = await this.settle(
      this.io.logs.openLogs([
        {
          logId,
          topic: TOPIC,
          topicId: TOPIC_ID,
          partition,
          config: {
            segmentBytes: 1 << 20,
            segmentMs: 1e12,
            segmentJitterMs: 0,
            segmentIndexBytes: 1 << 20,
            indexIntervalBytes: 4096,
            fileDeleteDelayMs: 0,
            preallocate: false,
            durability: "fsync",
          },
        },
      ]),
    );
    if (state === undefined) throw new Error("no log");
    const { startOffset, endOffset } = state;
    this.table.opened(logId, {
      ...{ leader: true, leaderEpoch, startOffset, endOffset },
      corruptFromOffset: null,
    });
    this.coordinators.leadershipMoved(TOPIC, partition, logId);
    return logId;
  }

  /** Asks; what came back is in the array once it came. */
  ask(partition: number, command: ToyCommand): (string | ErrorCode)[] {
    const answers: (string | ErrorCode)[] = [];
    this.driver.ask(partition, command, (errorCode, reply) => {
      answers.push(errorCode === ErrorCode.NONE ? (reply ?? "") : errorCode);
    });
    return answers;
  }

  /** The end of a tick, and everything that the engine does then, and the ticks after. */
  async run(): Promise<void> {
    for (let quiet = 0; quiet < 20; quiet += 1) {
      this.coordinators.flush();
      while (this.steps.run()) quiet = 0;
      if (this.drain() > 0) quiet = 0;
      await Promise.resolve();
    }
    this.driver.checkInvariants();
  }

  /** Time passes, timers fire. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    this.coordinators.expire(this.nowMs);
    for (const timer of this.timers.filter(({ dueMs }) => dueMs <= this.nowMs)) {
      this.timers.splice(this.timers.indexOf(timer), 1);
      timer.call();
    }
    await this.run();
  }

  async batches(logId: LogId): Promise<DecodedBatch[]> {
    const from = this.table.logStartOffset(logId);
    if (this.table.logEndOffset(logId) === from) return [];
    return decodeBatches(await this.settle(this.io.logs.read(logId, offset(from), 1 << 24)));
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    const settled: { value: T }[] = [];
    const failed: unknown[] = [];
    promise.then(
      (value) => settled.push({ value }),
      (error: unknown) => failed.push(error),
    );
    for (let turn = 0; turn < 1000; turn += 1) {
      while (this.steps.run());
      this.drain();
      await Promise.resolve();
      if (settled[0] !== undefined) return settled[0].value;
      if (failed.length > 0) throw failed[0];
    }
    throw new Error("never settled");
  }

  private drain(): number {
    const { events, table } = this;
    const rows = this.io.drain(events);
    for (let row = 0; row < rows; row += 1) {
      const logId = events.word(row, Event.logId) as LogId;
      switch (events.word(row, Event.kind)) {
        case EventKind.DURABLE:
          if (table.durable(logId, events.double(row, Event.offsetF64))) {
            this.coordinators.committed(logId, table.highWatermark(logId));
          }
          break;
        case EventKind.LOG_FAILED:
          table.failed(logId);
          this.coordinators.logFailed(logId);
          break;
        default:
          break;
      }
    }
    return rows;
  }
}
