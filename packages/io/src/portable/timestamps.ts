import type { Offset } from "@mantou/base";
import { At, Attribute, HEADER_BYTES, RecordCursor, int64 } from "./batch.ts";
import type { MemoryLog, StoredBatch } from "./memory-log.ts";

export interface TimestampHit {
  readonly offset: Offset;
  readonly timestamp: number;
}

/** See `LogStore.findTimestamp`. Batches that end below are skipped by their header. */
export function firstAtOrAfter(
  log: MemoryLog,
  timestamp: number,
  limit: number,
): TimestampHit | null {
  for (const batch of log.batchesFrom(log.startOffset)) {
    if (batch.baseOffset >= limit) return null;
    if (batch.maxTimestamp < timestamp) continue;
    for (const hit of recordTimes(batch)) {
      if (hit.offset >= limit) return null;
      if (hit.offset >= log.startOffset && hit.timestamp >= timestamp) return hit;
    }
  }
  return null;
}

/** See `LogStore.findMaxTimestamp`. */
export function largestBelow(log: MemoryLog, limit: number): TimestampHit | null {
  let best: TimestampHit | null = null;
  for (const batch of log.batchesFrom(log.startOffset)) {
    if (batch.baseOffset >= limit) break;
    if (best !== null && batch.maxTimestamp <= best.timestamp) continue;
    for (const hit of recordTimes(batch)) {
      if (hit.offset >= limit) break;
      if (hit.offset < log.startOffset) continue;
      if (best === null || hit.timestamp > best.timestamp) best = hit;
    }
  }
  return best;
}

/** Offset and timestamp of every record of a batch. */
function* recordTimes(batch: StoredBatch): Generator<TimestampHit> {
  const { view, bytes, baseOffset } = batch;
  const attributes = view.getInt16(At.attributes);
  if ((attributes & Attribute.CODEC_MASK) !== 0) {
    // Compressed: the header knows the largest timestamp but not which record has it.
    yield { offset: baseOffset as Offset, timestamp: batch.maxTimestamp };
    return;
  }
  const isAppendTime = (attributes & Attribute.LOG_APPEND_TIME) !== 0;
  const baseTimestamp = int64(view, At.baseTimestamp);
  const cursor = new RecordCursor(bytes);
  cursor.reset(bytes, HEADER_BYTES, bytes.length);
  for (let count = view.getInt32(At.recordsCount); count > 0; count--) {
    const length = cursor.varint();
    const next = cursor.at + length;
    cursor.skip(1);
    const delta = cursor.varlong();
    const offsetDelta = cursor.varint();
    if (cursor.failed || length < 0 || next > bytes.length) return;
    const timestamp = isAppendTime ? batch.maxTimestamp : baseTimestamp + delta;
    yield { offset: (baseOffset + offsetDelta) as Offset, timestamp };
    cursor.at = next;
  }
}
