import type { Offset } from "@mantou/base";
import {
  BATCH_HEADER_BYTES,
  BatchView,
  type Codecs,
  CompressionType,
  RecordsError,
  codecFor,
} from "@mantou/protocol";
import { IoError } from "../ports.ts";
import { RecordWalker } from "./batch.ts";
import type { MemoryLog, StoredBatch } from "./memory-log.ts";

export interface TimestampHit {
  readonly offset: Offset;
  readonly timestamp: number;
}

/** A batch was inspected before it was stored; this only stops a runaway. */
const INFLATED_BYTES_MAX = 64 * 1024 * 1024;

/** See `LogStore.findTimestamp`. Batches that end below are skipped by their header. */
export function firstAtOrAfter(
  log: MemoryLog,
  timestamp: number,
  limit: number,
  codecs: Codecs,
): TimestampHit | null {
  for (const batch of log.batchesFrom(log.startOffset)) {
    if (batch.baseOffset >= limit) return null;
    if (batch.maxTimestamp < timestamp) continue;
    for (const hit of recordTimes(batch, codecs)) {
      if (hit.offset >= limit) return null;
      if (hit.offset >= log.startOffset && hit.timestamp >= timestamp) return hit;
    }
  }
  return null;
}

/** See `LogStore.findMaxTimestamp`. */
export function largestBelow(log: MemoryLog, limit: number, codecs: Codecs): TimestampHit | null {
  let best: TimestampHit | null = null;
  for (const batch of log.batchesFrom(log.startOffset)) {
    if (batch.baseOffset >= limit) break;
    if (best !== null && batch.maxTimestamp <= best.timestamp) continue;
    for (const hit of recordTimes(batch, codecs)) {
      if (hit.offset >= limit) break;
      if (hit.offset < log.startOffset) continue;
      if (best === null || hit.timestamp > best.timestamp) best = hit;
    }
  }
  return best;
}

/**
 * Offset and timestamp of every record of a batch. Where the codec of a compressed batch was not
 * given to the engine, its header stands for all: first offset, largest timestamp.
 */
function* recordTimes(stored: StoredBatch, codecs: Codecs): Generator<TimestampHit> {
  const { bytes, view, baseOffset, maxTimestamp } = stored;
  const batch = new BatchView().at(view, 0);
  let walker = new RecordWalker(bytes, BATCH_HEADER_BYTES, bytes.length);
  if (batch.codec !== CompressionType.NONE) {
    const known = [codecs.gzip, codecs.snappy, codecs.lz4, codecs.zstd][batch.codec - 1];
    if (known === undefined) {
      yield { offset: baseOffset as Offset, timestamp: maxTimestamp };
      return;
    }
    const plain = inflate(codecs, batch.codec, bytes.subarray(BATCH_HEADER_BYTES), baseOffset);
    walker = new RecordWalker(plain, 0, plain.length);
  }
  for (let count = batch.recordsCount; count > 0 && walker.next(); count--) {
    const timestamp = batch.isLogAppendTime
      ? maxTimestamp
      : batch.baseTimestamp + Number(walker.timestampDelta);
    yield { offset: (baseOffset + walker.offsetDelta) as Offset, timestamp };
  }
}

/** A payload that was stored unopened may turn out to be none: the native engine's words for it. */
function inflate(
  codecs: Codecs,
  codec: number,
  payload: Uint8Array,
  baseOffset: number,
): Uint8Array {
  try {
    return codecFor(codecs, codec).decompress(payload, INFLATED_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof RecordsError)) throw error;
    throw new IoError("CORRUPT", `the batch at offset ${baseOffset}: ${error.message}`);
  }
}
