import type { LogId } from "@mantou/base";
import type { EpochEntry } from "./leader-epochs.ts";

export interface PartitionTableOptions {
  /** A follower that was not current for so long leaves the in-sync set. Kafka's default 30 s. */
  readonly replicaLagMaxMs?: number;
}

/** Who holds a partition, as the controller has committed it. */
export interface Membership {
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly partitionEpoch: number;
}

/** What a log looked like when it was opened or recovered, and who leads it. */
export interface OpenedPartition {
  /** Whether this node leads. */
  readonly leader: boolean;
  readonly leaderEpoch: number;
  readonly startOffset: number;
  /** Everything below it is durable. */
  readonly endOffset: number;
  /** First offset that fails its checksum and is not served, or null. */
  readonly corruptFromOffset: number | null;
  /** Absent: this node alone. */
  readonly membership?: Membership;
  /** Known history of leader epochs, oldest first; absent: none. */
  readonly epochs?: readonly EpochEntry[];
  /** The last high watermark that was written down; absent: unknown. */
  readonly highWatermark?: number;
}

/** Everything that can happen to a partition. `PartitionTable` has a method for each of them. */
export type PartitionInput =
  | { readonly kind: "opened"; readonly logId: LogId; readonly state: OpenedPartition }
  | { readonly kind: "closed"; readonly logId: LogId }
  | {
      readonly kind: "leadership";
      readonly logId: LogId;
      readonly leader: boolean;
      readonly leaderEpoch: number;
      readonly membership?: Membership;
    }
  | { readonly kind: "appended"; readonly logId: LogId; readonly endOffset: number }
  | {
      readonly kind: "replicated";
      readonly logId: LogId;
      readonly baseOffset: number;
      readonly endOffset: number;
      readonly batchEpoch: number;
    }
  | { readonly kind: "written"; readonly logId: LogId; readonly endOffset: number }
  | { readonly kind: "durable"; readonly logId: LogId; readonly endOffset: number }
  | {
      readonly kind: "fetched";
      readonly logId: LogId;
      readonly nodeId: number;
      readonly fetchedEnd: number;
      readonly durableEnd: number;
    }
  | { readonly kind: "leaderWatermark"; readonly logId: LogId; readonly highWatermark: number }
  | { readonly kind: "truncated"; readonly logId: LogId; readonly endOffset: number }
  | { readonly kind: "trimmed"; readonly logId: LogId; readonly startOffset: number }
  | { readonly kind: "isrRefused"; readonly change: IsrChange }
  | { readonly kind: "failed"; readonly logId: LogId }
  | { readonly kind: "tick" };

/** An in-sync set that a leader asks the controller for (AlterPartition). */
export interface IsrChange {
  readonly logId: LogId;
  readonly isr: readonly number[];
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
}

/** What the driver has to do. Every list names a log at most once. */
export interface PartitionOutbox {
  /** High watermarks that have risen: wake those who wait. */
  readonly highWatermarks: readonly LogId[];
  /** To be sent to the controller; its answer comes back as `leadership` or `isrRefused`. */
  readonly isrChanges: readonly IsrChange[];
  /** Histories of leader epochs that differ from what was last taken: write them down. */
  readonly epochs: readonly LogId[];
  /** Committed records that a recovery did not find again: shout. */
  readonly lost: readonly {
    readonly logId: LogId;
    readonly highWatermark: number;
    readonly endOffset: number;
  }[];
}
