import {
  BATCH_HEADER_BYTES,
  BatchAttribute,
  BatchView,
  LOG_OVERHEAD_BYTES,
  MAGIC_V2,
} from "./batch-view.ts";
import { codecFor, type Codecs, CompressionType } from "./codec.ts";
import { checkPayload } from "./payload.ts";
import { checkRecords } from "./record-cursor.ts";
import { BatchFault, RecordsError } from "./records-error.ts";

/** How far {@link batchFault} and {@link producedBatchFault} look. */
export interface BatchChecks {
  /** Walk every record, inflating the batch where it is compressed. */
  readonly records?: boolean;
  /** Every record needs a key (compacted topics). Implies `records`. */
  readonly keysRequired?: boolean;
  /** Needed where `records` meets a compressed batch. */
  readonly codecs?: Codecs;
  /** The largest inflated size in bytes. */
  readonly inflatedBytesMax?: number;
}

const PRODUCER_ATTRIBUTES = BatchAttribute.CODEC_MASK | BatchAttribute.TRANSACTIONAL;

/**
 * Judges the batch that begins at `offset` of a buffer with `available` bytes behind it, more than
 * one batch included: length, magic and CRC. For what is read back from a log or a fetch.
 */
export function batchFault(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  available: number,
): BatchFault {
  if (available < LOG_OVERHEAD_BYTES + 5) return BatchFault.TRUNCATED;
  const batch = new BatchView().at(view, offset);
  if (batch.magic !== MAGIC_V2) return BatchFault.MAGIC;
  const size = batch.sizeBytes;
  if (available < BATCH_HEADER_BYTES || size < BATCH_HEADER_BYTES || size > available) {
    return BatchFault.TRUNCATED;
  }
  return batch.computeCrc(bytes) === batch.crc ? BatchFault.NONE : BatchFault.CRC;
}

/**
 * Judges what a producer sent for one partition, `length` bytes at `offset`: exactly one batch as
 * Kafka's leader takes it (`ProduceRequest`, validation of client batches). Compressed payloads
 * are judged by their framing, and inflated only where `checks` ask for the records.
 */
export function producedBatchFault(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  length: number,
  checks: BatchChecks = {},
): BatchFault {
  const fault = batchFault(bytes, view, offset, length);
  if (fault !== BatchFault.NONE) return fault;
  const batch = new BatchView().at(view, offset);
  if (batch.sizeBytes !== length) return BatchFault.TRAILING;
  const { attributes, codec, recordsCount, lastOffsetDelta } = batch;
  if (codec > CompressionType.ZSTD) return BatchFault.COMPRESSION;
  // LogAppendTime is left to the caller, which owes the producer another error for it.
  if ((attributes & ~(PRODUCER_ATTRIBUTES | BatchAttribute.LOG_APPEND_TIME)) !== 0) {
    return BatchFault.ATTRIBUTES;
  }
  if (batch.baseOffset !== 0 || recordsCount <= 0 || recordsCount - 1 !== lastOffsetDelta) {
    return BatchFault.COUNT;
  }
  if (batch.producerId >= 0 && batch.baseSequence < 0) return BatchFault.COUNT;
  try {
    checkBody(bytes, batch, checks);
  } catch (error) {
    if (error instanceof RecordsError) return error.fault;
    throw error;
  }
  return BatchFault.NONE;
}

function checkBody(bytes: Uint8Array, batch: BatchView, checks: BatchChecks): void {
  const { codec, recordsOffset, endOffset, recordsCount } = batch;
  const keysRequired = checks.keysRequired === true;
  const wanted = checks.records === true || keysRequired;
  if (codec === CompressionType.NONE) {
    if (wanted) checkRecords(bytes, recordsOffset, endOffset, recordsCount, keysRequired);
    return;
  }
  const payload = bytes.subarray(recordsOffset, endOffset);
  checkPayload(codec, payload);
  if (!wanted) return;
  const inflatedBytesMax = checks.inflatedBytesMax ?? INFLATED_BYTES_MAX;
  const plain = codecFor(checks.codecs ?? {}, codec).decompress(payload, inflatedBytesMax);
  checkRecords(plain, 0, plain.length, recordsCount, keysRequired);
}

/** The inflated size of one batch that is allowed unless told otherwise: 128 MiB. */
export const INFLATED_BYTES_MAX = 128 * 1024 * 1024;
