import { batchFault, INFLATED_BYTES_MAX } from "./batch-fault.ts";
import { BATCH_HEADER_BYTES, BatchView, LOG_OVERHEAD_BYTES, MAGIC_V2 } from "./batch-view.ts";
import { codecFor, type Codecs, CompressionType } from "./codec.ts";
import { decodeMessageSetEntry } from "./message-set.ts";
import { RecordCursor, type RecordHeader } from "./record-cursor.ts";
import { BatchFault, RecordsError } from "./records-error.ts";

/** A record as it comes out. Bytes share memory with what was decoded, unless it was compressed. */
export interface DecodedRecord {
  readonly offset: number;
  /** Milliseconds since the epoch; -1: none. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** A batch with its records. int64 fields are saturated to +-(2^53 - 1). */
export interface DecodedBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly sizeBytes: number;
  readonly partitionLeaderEpoch: number;
  /** 2; 0 or 1 for an entry of an old message set, whose producer fields are -1. */
  readonly magic: number;
  readonly crc: number;
  readonly codec: CompressionType;
  readonly isLogAppendTime: boolean;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly hasDeleteHorizon: boolean;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly records: readonly DecodedRecord[];
}

export interface DecodeBatchesOptions {
  /** Needed where a batch is compressed. */
  readonly codecs?: Codecs;
  /** The largest inflated size of one batch, in bytes; 128 MiB when absent. */
  readonly inflatedBytesMax?: number;
  /** Compare each batch's CRC; true when absent. */
  readonly checkCrc?: boolean;
  /**
   * What the last batch may be: `drop` leaves out one that is cut off, as a fetch may cut it;
   * `refuse` throws. `drop` when absent.
   */
  readonly cutOff?: "drop" | "refuse";
}

const entryHeaderBytes = LOG_OVERHEAD_BYTES + 5;

/**
 * Decodes batches that lie back to back, as a fetch or a segment file gives them. Old message sets
 * (magic 0 and 1) are taken as well, each entry as a batch of its own.
 * Throws RecordsError where something is not what it claims to be.
 */
export function decodeBatches(
  bytes: Uint8Array,
  options: DecodeBatchesOptions = {},
): DecodedBatch[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const batches: DecodedBatch[] = [];
  const batch = new BatchView();
  let at = 0;
  while (at < bytes.length) {
    const available = bytes.length - at;
    batch.at(view, at);
    const whole = available >= entryHeaderBytes && batch.sizeBytes <= available;
    if (!whole) {
      if (options.cutOff !== "refuse") break;
      throw new RecordsError(BatchFault.TRUNCATED, `the batch at byte ${at} is cut off`);
    }
    const { magic, sizeBytes } = batch;
    if (magic === MAGIC_V2) {
      batches.push(decodeBatch(bytes, view, batch, options));
    } else if (magic === 0 || magic === 1) {
      batches.push(decodeMessageSetEntry(bytes, view, at, options));
    } else {
      throw new RecordsError(BatchFault.MAGIC, `the batch at byte ${at} has magic ${magic}`);
    }
    at += sizeBytes;
  }
  return batches;
}

function decodeBatch(
  bytes: Uint8Array,
  view: DataView,
  batch: BatchView,
  options: DecodeBatchesOptions,
): DecodedBatch {
  const at = batch.offset;
  if (batch.sizeBytes < BATCH_HEADER_BYTES) {
    throw new RecordsError(BatchFault.TRUNCATED, `the batch at byte ${at} has no whole header`);
  }
  if (options.checkCrc !== false) {
    const fault = batchFault(bytes, view, at, batch.sizeBytes);
    if (fault !== BatchFault.NONE) {
      throw new RecordsError(
        fault,
        `the batch at byte ${at} (offset ${batch.baseOffset}) is corrupt`,
      );
    }
  }
  return {
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    sizeBytes: batch.sizeBytes,
    partitionLeaderEpoch: batch.partitionLeaderEpoch,
    magic: MAGIC_V2,
    crc: batch.crc,
    codec: batch.codec as CompressionType,
    isLogAppendTime: batch.isLogAppendTime,
    isTransactional: batch.isTransactional,
    isControl: batch.isControl,
    hasDeleteHorizon: batch.hasDeleteHorizon,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    records: decodeRecords(bytes, batch, options),
  };
}

function decodeRecords(
  bytes: Uint8Array,
  batch: BatchView,
  options: DecodeBatchesOptions,
): DecodedRecord[] {
  let plain = bytes;
  let start = batch.recordsOffset;
  let end = batch.endOffset;
  if (batch.codec !== CompressionType.NONE && end > start) {
    const codec = codecFor(options.codecs ?? {}, batch.codec);
    const payload = bytes.subarray(start, end);
    plain = codec.decompress(payload, options.inflatedBytesMax ?? INFLATED_BYTES_MAX);
    start = 0;
    end = plain.length;
  }
  const cursor = new RecordCursor().at(plain, start, end, {
    baseOffset: batch.baseOffset,
    baseTimestamp: batch.baseTimestamp,
    appendTimestamp: batch.isLogAppendTime ? batch.maxTimestamp : null,
    recordsCount: batch.recordsCount,
  });
  const records: DecodedRecord[] = [];
  while (cursor.next()) {
    const { offset, timestamp } = cursor;
    const headers = cursor.headers();
    records.push({ offset, timestamp, key: cursor.key(), value: cursor.value(), headers });
  }
  return records;
}
