import type { CoordinatorShard, CoordinatorWrite, LogId } from "@mantou/base";

/**
 * loading -> active -> dropped; loading -> dropped. A partition without data is `empty`: its shard
 * is made by the first command.
 */
export type SlotState = "empty" | "loading" | "active" | "dropped";

/** A finished batch that goes into the shard's log between its records (a transaction marker). */
export interface RawBatch {
  readonly bytes: Uint8Array;
  readonly offsets: number;
  /** The producer in whose transaction the batch was written; absent: in none. */
  readonly transaction?: CoordinatorWrite["transaction"];
  /** Called when the batch has its place in the log; nothing is on disk yet. */
  readonly assigned?: (baseOffset: number) => void;
}

export type PendingWrite = CoordinatorWrite | RawBatch;

/** What waits until everything that the shard wrote before it is durable. */
export type Outgoing<Reply, Request> =
  { readonly ticket: number; readonly reply: Reply | null } | { readonly request: Request };

const CUT_AT = 1024;

/** One shard and what stands between it and the world. */
export class ShardSlot<Command, Reply, Request> {
  state: SlotState;
  shard: CoordinatorShard<Command, Reply, Request> | null = null;
  /** Written by steps since the last flush. */
  pending: PendingWrite[] = [];
  /** Flushes of this shard that were handed to the log, and those of them that are durable. */
  issued = 0;
  durable = 0;
  private waiting: (Outgoing<Reply, Request> | null)[] = [];
  private waitsFor: number[] = [];
  private head = 0;

  constructor(
    readonly partition: number,
    readonly logId: LogId,
    public leaderEpoch: number,
    isEmpty: boolean,
  ) {
    this.state = isEmpty ? "empty" : "loading";
  }

  /** The flush that has to be durable before what was decided now may be told. */
  get horizon(): number {
    return this.pending.length > 0 ? this.issued + 1 : this.issued;
  }

  wait(outgoing: Outgoing<Reply, Request>): void {
    this.waiting.push(outgoing);
    this.waitsFor.push(this.horizon);
  }

  /** Takes one thing that may go now, or null. */
  takeReady(): Outgoing<Reply, Request> | null {
    if (this.head === this.waiting.length) return null;
    if ((this.waitsFor[this.head] as number) > this.durable) return null;
    const ready = this.waiting[this.head] as Outgoing<Reply, Request>;
    this.waiting[this.head] = null;
    this.head += 1;
    if (this.head === this.waiting.length) {
      this.waiting.length = 0;
      this.waitsFor.length = 0;
      this.head = 0;
    } else if (this.head >= CUT_AT) {
      this.waiting = this.waiting.slice(this.head);
      this.waitsFor = this.waitsFor.slice(this.head);
      this.head = 0;
    }
    return ready;
  }
}
