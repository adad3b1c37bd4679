import type { CoordinatorShard, CoordinatorWrite, LogId } from "@mantou/base";
import type { LogStore } from "@mantou/io";
import type { ErrorCode } from "@mantou/protocol";
import type { PartitionTable } from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { LogWriter } from "./log-writer.ts";

/** What tells one kind of coordinator from another. */
export interface CoordinatorKind<Command, Reply, Request> {
  /** Its internal topic. */
  readonly topic: string;
  newShard(partition: number, leaderEpoch: number): CoordinatorShard<Command, Reply, Request>;
  /**
   * Carries out what only the driver can do. What comes of it goes back as a command by
   * `CoordinatorDriver.tell`. Called outside of any step.
   */
  request(request: Request, partition: number): void;
}

/** The answer to a command: the shard's reply, or why there is none. */
export type Settle<Reply> = (errorCode: ErrorCode, reply: Reply | null) => void;

/** The limits of what goes into one batch of the topic's logs, in bytes. */
export interface BatchLimits {
  readonly maxMessageBytes: number;
  readonly segmentBytes: number;
}

export interface CoordinatorDriverParts {
  readonly ambient: Ambient;
  readonly logs: LogStore;
  readonly partitions: PartitionTable;
  readonly writer: LogWriter;
  readonly limitsOf: (logId: LogId) => BatchLimits;
  /** A batch of a client's transaction has its place in a shard's log. */
  readonly transactionWritten: (
    logId: LogId,
    transaction: NonNullable<CoordinatorWrite["transaction"]>,
    baseOffset: number,
  ) => void;
  /** Something was answered or written outside of a tick. */
  readonly flushSoon: () => void;
}

/** Commands are told apart by their kind, of which there are few. */
export interface Named {
  readonly kind: string;
}
