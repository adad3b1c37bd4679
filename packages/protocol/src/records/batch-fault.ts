import { BATCH_HEADER_BYTES, BatchView, LOG_OVERHEAD_BYTES, MAGIC_V2 } from "./batch-view.ts";
import { BatchFault } from "./records-error.ts";

/** The inflated size of one batch that is allowed unless told otherwise: 128 MiB. */
export const INFLATED_BYTES_MAX = 128 * 1024 * 1024;

/** Bytes up to and with the magic, at the same place in all formats. */
const MAGIC_END = LOG_OVERHEAD_BYTES + 5;

/**
 * Judges the batch that begins at `offset` of a buffer with `available` bytes behind it, more than
 * one batch included: magic, length and CRC. For what is read back from a log or a fetch; what
 * producers send is judged by the engine (`LogStore.inspect`).
 */
export function batchFault(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  available: number,
): BatchFault {
  if (available < MAGIC_END) return BatchFault.TRUNCATED;
  const batch = new BatchView().at(view, offset);
  if (batch.magic !== MAGIC_V2) return BatchFault.MAGIC;
  const size = batch.sizeBytes;
  if (available < BATCH_HEADER_BYTES || size < BATCH_HEADER_BYTES || size > available) {
    return BatchFault.TRUNCATED;
  }
  return batch.computeCrc(bytes) === batch.crc ? BatchFault.NONE : BatchFault.CRC;
}
