import type { CoordinatorShard, LogId } from "@mantou/base";
import { AssertionError, offset } from "@mantou/base";
import type { LogStore } from "@mantou/io";
import {
  BatchFault,
  BatchView,
  CompressionType,
  ControlType,
  RecordCursor,
  RecordsError,
  batchFault,
  controlType,
} from "@mantou/protocol";
import type { PartitionTable } from "@mantou/replication";

/** Bytes of log that are in memory at a time while one shard is loaded. */
const LOAD_BYTES = 256 * 1024;

export interface LoadParts {
  readonly logs: LogStore;
  readonly partitions: PartitionTable;
  /** False: what is loaded is not wanted any more. */
  readonly isWanted: () => boolean;
}

/** The side of a shard that takes what is in its log. */
export type Replaying = Pick<CoordinatorShard<never, never, never>, "replay" | "replayMarker">;

/** What was read, for the line that is logged. */
export interface Loaded {
  readonly records: number;
  readonly bytes: number;
  /** What no coordinator can have written (compressed, or not to be read), and why. */
  readonly skipped: number;
  readonly why: string | null;
}

/** Brings everything that is in a log into a shard, piece by piece. Rejects with IoError, RecordsError. */
export async function loadShard(parts: LoadParts, logId: LogId, shard: Replaying): Promise<Loaded> {
  const { logs, partitions, isWanted } = parts;
  let at = partitions.logStartOffset(logId);
  const end = partitions.logEndOffset(logId);
  const replay = new Replay(shard);
  let bytes = 0;
  while (at < end) {
    const read = await logs.read(logId, offset(at), LOAD_BYTES);
    // Compaction may have left nothing up to the end.
    if (read.length === 0 || !isWanted()) break;
    bytes += read.length;
    at = replay.take(read, at);
  }
  const { records, skipped, why } = replay;
  return { records, bytes, skipped, why };
}

/** Walks whole batches, without an object for any record but what the shard is given. */
class Replay {
  records = 0;
  skipped = 0;
  why: string | null = null;
  private readonly batch = new BatchView();
  private readonly cursor = new RecordCursor();

  constructor(private readonly shard: Replaying) {}

  /** Takes batches back to back, without what lies below `from`; gives the offset behind them. */
  take(bytes: Uint8Array, from: number): number {
    const { batch, cursor } = this;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let next = from;
    for (let at = 0; at < bytes.length; at += batch.sizeBytes) {
      const fault = batchFault(bytes, view, at, bytes.length - at);
      if (fault !== BatchFault.NONE) {
        throw new RecordsError(fault, `the batch behind offset ${next} cannot be read`);
      }
      batch.at(view, at);
      next = Math.max(next, batch.lastOffset + 1);
      if (batch.codec !== CompressionType.NONE) {
        this.skip(`the batch at offset ${batch.baseOffset} is compressed`);
        continue;
      }
      const { baseOffset, baseTimestamp, recordsCount } = batch;
      const context = { baseOffset, baseTimestamp, appendTimestamp: null, recordsCount };
      cursor.at(bytes, batch.recordsOffset, batch.endOffset, context);
      if (batch.isControl) this.control();
      else this.replay(from);
    }
    return next;
  }

  private replay(from: number): void {
    const { cursor } = this;
    const { baseOffset, isTransactional, producerEpoch, producerId } = this.batch;
    const origin = { baseOffset, isTransactional, producerEpoch, producerId };
    while (cursor.next()) {
      const key = cursor.key();
      // A record without a key says nothing of anything; only a foreign producer writes one.
      if (key === null || cursor.offset < from) continue;
      this.records += 1;
      try {
        this.shard.replay({ key, value: cursor.value() }, origin);
      } catch (error) {
        if (error instanceof AssertionError) throw error;
        this.skip(`the record at offset ${cursor.offset}: ${String(error)}`);
      }
    }
  }

  private control(): void {
    const { isTransactional, producerEpoch, producerId } = this.batch;
    if (!isTransactional || !this.cursor.next()) return;
    const type = controlType(this.cursor.key());
    if (type !== ControlType.COMMIT && type !== ControlType.ABORT) return;
    const isCommit = type === ControlType.COMMIT;
    this.shard.replayMarker({ producerId, producerEpoch, isCommit });
  }

  private skip(why: string): void {
    this.skipped += 1;
    this.why ??= why;
  }
}
