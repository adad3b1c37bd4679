import type { LogId } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { Arena, LogStore } from "@mantou/io";
import type { PartitionTable } from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { CoordinatorFigures } from "../metrics/figures.ts";
import { CoordinatorDriver } from "./coordinator-driver.ts";
import type {
  BatchLimits,
  CoordinatorDriverParts,
  CoordinatorKind,
  Named,
} from "./coordinator-kind.ts";
import { LogWriter } from "./log-writer.ts";

export interface CoordinatorsParts {
  readonly ambient: Ambient;
  readonly arena: Arena;
  readonly logs: LogStore;
  readonly partitions: PartitionTable;
  readonly limitsOf: (logId: LogId) => BatchLimits;
  readonly transactionWritten: CoordinatorDriverParts["transactionWritten"];
  readonly flushSoon: () => void;
}

/** What all drivers have in common, whatever they coordinate. */
type AnyDriver = Pick<
  CoordinatorDriver<never, never, never>,
  | "lead"
  | "unload"
  | "logLost"
  | "committed"
  | "expire"
  | "flush"
  | "stop"
  | "nextDeadlineMs"
  | "figures"
> & { readonly kind: { readonly topic: string } };

/**
 * The coordinators of this broker, one driver for each internal topic, and the way into the logs
 * that they share. The tick calls `committed`, `expire` and `flush`; the partitions' driver tells
 * of leaderships, the log failures of lost logs.
 */
export class Coordinators {
  readonly writer: LogWriter;
  private readonly drivers: AnyDriver[] = [];

  constructor(private readonly parts: CoordinatorsParts) {
    const { arena, logs, partitions, ambient } = parts;
    this.writer = new LogWriter({ arena, logs, partitions, clock: ambient.clock });
  }

  /** Adds a kind of coordinator. Before the partitions are opened. */
  add<Command extends Named, Reply, Request>(
    kind: CoordinatorKind<Command, Reply, Request>,
  ): CoordinatorDriver<Command, Reply, Request> {
    const driver = new CoordinatorDriver(kind, { ...this.parts, writer: this.writer });
    this.drivers.push(driver as AnyDriver);
    return driver;
  }

  /** The earliest thing that wants to be done, in monotonic milliseconds. */
  get nextDeadlineMs(): number {
    let next = this.writer.nextDeadlineMs;
    for (const driver of this.drivers) next = Math.min(next, driver.nextDeadlineMs);
    return next;
  }

  /** Batches that are on their way to a disk: a stop waits for them. */
  get writing(): number {
    return this.writer.busy;
  }

  /** A log was opened, or what this node is to its partition has changed. */
  leadershipMoved(topic: string, partition: number, logId: LogId): void {
    const { partitions } = this.parts;
    for (const driver of this.drivers) {
      if (driver.kind.topic !== topic) continue;
      const isSound = partitions.isLeader(logId) && !partitions.isFailed(logId);
      if (isSound) driver.lead(partition, logId);
      else driver.unload(partition);
    }
    if (!partitions.isLeader(logId)) {
      this.writer.failed(logId, ErrorCode.NOT_LEADER_OR_FOLLOWER);
    }
  }

  committed(logId: LogId, end: number): void {
    this.writer.committed(logId, end);
    for (const driver of this.drivers) driver.committed();
  }

  /** The log has failed; it will be opened again, and `leadershipMoved` says so. */
  logFailed(logId: LogId): void {
    this.writer.failed(logId, ErrorCode.KAFKA_STORAGE_ERROR);
    for (const driver of this.drivers) {
      driver.logLost(logId, ErrorCode.COORDINATOR_NOT_AVAILABLE);
    }
  }

  /** The partition has left this broker. */
  logGone(logId: LogId): void {
    this.writer.failed(logId, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    for (const driver of this.drivers) driver.logLost(logId, ErrorCode.NOT_COORDINATOR);
  }

  figures(): CoordinatorFigures[] {
    return this.drivers.map((driver) => driver.figures());
  }

  expire(nowMs: number): void {
    for (const driver of this.drivers) driver.expire(nowMs);
  }

  /** Ends the tick: carries out requests, hands writes to the engine. */
  flush(): void {
    let worked = true;
    while (worked) {
      worked = false;
      for (const driver of this.drivers) worked = driver.flush() || worked;
    }
    this.writer.flush();
  }

  stop(): void {
    for (const driver of this.drivers) driver.stop();
  }
}
