import type { Clock, LogId } from "@mantou/base";
import type { Arena, LogStore } from "@mantou/io";
import { APPEND_WORDS, Append, Table } from "@mantou/io";
import { ErrorCode } from "@mantou/protocol";
import type { PartitionTable } from "@mantou/replication";
import { INTERNAL_APPEND_BYTES } from "../limits.ts";

/** Whoever has handed in a batch. Both are called once at most, in the log's order. */
export interface BatchOwner {
  /** The batch has its place in the log; nothing is on disk yet. */
  assigned(baseOffset: number): void;
  /** NONE: the batch is below the high watermark. Else why it never will be. */
  settled(errorCode: ErrorCode): void;
}

interface QueuedBatch {
  readonly logId: LogId;
  readonly bytes: Uint8Array;
  readonly offsets: number;
  readonly owner: BatchOwner;
}

/** Batches of one log on their way to the disk, oldest first. `head` moves. */
interface Waiting {
  ends: number[];
  owners: (BatchOwner | null)[];
  head: number;
}

export interface LogWriterParts {
  readonly arena: Arena;
  readonly logs: LogStore;
  readonly partitions: PartitionTable;
  readonly clock: Clock;
}

const ROWS_MAX = 1024;
const CUT_AT = 1024;
/** Pause before the arena is asked again when it has no room. */
const ARENA_RETRY_MS = 5;

/**
 * Brings batches that the broker makes itself into the logs of partitions, the way a client's
 * batches take: offsets from the partition table, one native call for all of a tick. Offsets are
 * given at the flush, so they follow the order in which rows are handed to the engine.
 */
export class LogWriter {
  private readonly table = new Table(APPEND_WORDS, ROWS_MAX);
  private queued: QueuedBatch[] = [];
  /** By log id, kept once made (see `Waiters`). */
  private readonly waiting: (Waiting | undefined)[] = [];
  private underWay = 0;
  private retryDueMs = Infinity;

  constructor(private readonly parts: LogWriterParts) {}

  /** Batches that are not settled yet. */
  get busy(): number {
    return this.queued.length + this.underWay;
  }

  /** When `flush` wants to be called again: the arena had no room. Monotonic milliseconds. */
  get nextDeadlineMs(): number {
    return this.retryDueMs;
  }

  /**
   * Takes a finished v2 batch; its base offset and leader epoch are patched on the way.
   *
   * @param offsets how many offsets it takes: its last offset delta and one.
   */
  append(logId: LogId, bytes: Uint8Array, offsets: number, owner: BatchOwner): void {
    this.queued.push({ logId, bytes, offsets, owner });
  }

  /** Hands everything that was taken to the engine. */
  flush(): void {
    this.retryDueMs = Infinity;
    while (this.queued.length > 0) {
      const taken = this.takeSome();
      if (taken.length > 0 && !this.submit(taken)) {
        this.queued = [...taken, ...this.queued];
        this.retryDueMs = this.parts.clock.monotonicMs() + ARENA_RETRY_MS;
        return;
      }
    }
  }

  /** The high watermark of a log has reached `end`. */
  committed(logId: LogId, end: number): void {
    const waiting = this.waiting[logId];
    if (waiting === undefined) return;
    while (waiting.head < waiting.ends.length && (waiting.ends[waiting.head] as number) <= end) {
      const owner = waiting.owners[waiting.head] as BatchOwner;
      waiting.owners[waiting.head] = null;
      waiting.head += 1;
      this.underWay -= 1;
      owner.settled(ErrorCode.NONE);
    }
    if (waiting.head === waiting.ends.length) {
      waiting.ends.length = 0;
      waiting.owners.length = 0;
      waiting.head = 0;
    } else if (waiting.head >= CUT_AT) {
      waiting.ends = waiting.ends.slice(waiting.head);
      waiting.owners = waiting.owners.slice(waiting.head);
      waiting.head = 0;
    }
  }

  /** The log is offline, gone or led elsewhere: nothing that is under way may count as stored. */
  failed(logId: LogId, errorCode: ErrorCode): void {
    const refused: BatchOwner[] = [];
    const waiting = this.waiting[logId];
    this.waiting[logId] = undefined;
    if (waiting !== undefined) {
      for (const owner of waiting.owners) if (owner !== null) refused.push(owner);
      this.underWay -= waiting.ends.length - waiting.head;
    }
    for (const batch of this.queued) if (batch.logId === logId) refused.push(batch.owner);
    this.queued = this.queued.filter((batch) => batch.logId !== logId);
    for (const owner of refused) owner.settled(errorCode);
  }

  /** The next batches that fit into one call. Those whose log takes nothing are refused. */
  private takeSome(): QueuedBatch[] {
    const taken: QueuedBatch[] = [];
    const refused: QueuedBatch[] = [];
    let bytes = 0;
    let next = 0;
    for (; next < this.queued.length && taken.length < ROWS_MAX; next += 1) {
      const batch = this.queued[next] as QueuedBatch;
      if (!this.isWritable(batch.logId)) {
        refused.push(batch);
        continue;
      }
      if (taken.length > 0 && bytes + batch.bytes.length > INTERNAL_APPEND_BYTES) break;
      bytes += batch.bytes.length;
      taken.push(batch);
    }
    this.queued = this.queued.slice(next);
    for (const { owner } of refused) owner.settled(ErrorCode.NOT_LEADER_OR_FOLLOWER);
    return taken;
  }

  private isWritable(logId: LogId): boolean {
    const { partitions } = this.parts;
    return partitions.isLeader(logId) && !partitions.isFailed(logId);
  }

  /** False: the arena has no room now, and nothing has happened. */
  private submit(batches: readonly QueuedBatch[]): boolean {
    const { arena, clock, logs, partitions } = this.parts;
    const run = arena.allocate(batches.reduce((sum, { bytes }) => sum + bytes.length, 0));
    if (run === -1) return false;
    let at = run;
    for (const [row, { logId, bytes, offsets, owner }] of batches.entries()) {
      const baseOffset = partitions.logEndOffset(logId);
      const end = baseOffset + offsets;
      arena.bytes.set(bytes, at);
      this.table.setWord(row, Append.logId, logId);
      this.table.setWord(row, Append.offset, at);
      this.table.setWord(row, Append.length, bytes.length);
      this.table.setWord(row, Append.flags, 0);
      this.table.setDouble(row, Append.baseOffsetF64, baseOffset);
      this.table.setWord(row, Append.leaderEpoch, partitions.leaderEpoch(logId));
      at += bytes.length;
      partitions.appended(logId, end);
      this.wait(logId, end, owner);
      owner.assigned(baseOffset);
    }
    logs.append(this.table, batches.length, clock.wallMs());
    // The engine holds its own reference until the bytes are written.
    arena.release(run);
    return true;
  }

  private wait(logId: LogId, end: number, owner: BatchOwner): void {
    const waiting = (this.waiting[logId] ??= { ends: [], owners: [], head: 0 });
    waiting.ends.push(end);
    waiting.owners.push(owner);
    this.underWay += 1;
  }
}
