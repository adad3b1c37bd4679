/**
 * The contract between a coordinator's machine (groups, transactions) and its driver.
 *
 * A shard is the state of one partition of an internal topic: who leads the partition runs the
 * shard. The machine is pure; the driver appends what it writes, keeps its timers, carries out its
 * requests and lets replies go.
 *
 * A step changes the shard's state at once, before its records are on disk. So a reply, whether
 * its own step wrote or not, waits until everything that the shard had written before it is
 * durable: nobody is told what a crash can take back. When a write fails the driver forgets the
 * shard, refuses whoever waits, and loads it anew.
 */

/** Both clocks at one moment. Deadlines count by the monotonic one, what is stored by the wall's. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** A record of the shard's partition, in Kafka's own format. A null value removes the key. */
export interface CoordinatorRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** Records that are one batch: all of them survive, or none. */
export interface CoordinatorWrite {
  readonly records: readonly CoordinatorRecord[];
  /** Set where the batch is part of a client's transaction (TxnOffsetCommit). */
  readonly transaction: { readonly producerId: number; readonly producerEpoch: number } | null;
}

/** An answer for whoever asked with `ticket`. Each ticket is answered once. */
export interface CoordinatorReply<Reply> {
  readonly ticket: number;
  readonly reply: Reply;
}

/** A timer is data. Setting one that is set replaces it; `dueMs` is monotonic. */
export type TimerChange<Command> =
  | {
      readonly kind: "set";
      readonly key: string;
      readonly dueMs: number;
      readonly command: Command;
    }
  | { readonly kind: "cancel"; readonly key: string };

/** What a step wants done, in this order: writes, timers, requests; replies once it is durable. */
export interface CoordinatorEffects<Command, Reply, Request> {
  readonly writes: readonly CoordinatorWrite[];
  readonly timers: readonly TimerChange<Command>[];
  /** What only the driver can do (send markers, get a producer id). Sent once writes are durable. */
  readonly requests: readonly Request[];
  readonly replies: readonly CoordinatorReply<Reply>[];
}

/** Of the batch that a replayed record was in. Ids are -1 where it has none. */
export interface ReplayedBatch {
  readonly baseOffset: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly isTransactional: boolean;
}

/** The end of a client's transaction in the shard's partition. */
export interface TransactionMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly isCommit: boolean;
}

export interface CoordinatorShard<Command, Reply, Request> {
  /** Takes a record that is in the partition already, in the partition's order. */
  replay(record: CoordinatorRecord, batch: ReplayedBatch): void;
  replayMarker(marker: TransactionMarker): void;
  /** The partition is replayed: gives what was under way (timers, requests). Called once. */
  loaded(now: Moment): CoordinatorEffects<Command, Reply, Request>;
  /**
   * @param ticket names whoever asked; null for a timer or the driver itself. A ticket may be
   *   answered by a later step (a join waits for the barrier).
   */
  step(
    ticket: number | null,
    command: Command,
    now: Moment,
  ): CoordinatorEffects<Command, Reply, Request>;
  checkInvariants(): void;
}
