export { BatchBuilder, type BatchOptions, encodeBatch, type RecordInput } from "./batch-builder.ts";
export { batchFault, INFLATED_BYTES_MAX } from "./batch-fault.ts";
export {
  addSequence,
  BATCH_HEADER_BYTES,
  BatchAttribute,
  BatchField,
  BatchView,
  LOG_OVERHEAD_BYTES,
  MAGIC_V2,
} from "./batch-view.ts";
export {
  badPayload,
  type BlockCodec,
  codecFor,
  type Codecs,
  compressionName,
  CompressionType,
  inflatedTooLarge,
  type RecordCodec,
} from "./codec.ts";
export { ControlType, controlType, transactionMarker } from "./control-record.ts";
export { crc32, crc32c } from "./crc.ts";
export {
  decodeBatches,
  type DecodeBatchesOptions,
  type DecodedBatch,
  type DecodedRecord,
} from "./decode-batches.ts";
export { getInt64, putInt64 } from "./int64.ts";
export { lz4Codec } from "./lz4-frame.ts";
export { checkPayload } from "./payload.ts";
export { RecordCursor, type RecordHeader, type RecordsContext } from "./record-cursor.ts";
export { BatchFault, RecordsError } from "./records-error.ts";
export { snappyCodec } from "./snappy-framing.ts";
export { ByteCursor, putVarint, varintSize } from "./varint.ts";
export { xxhash32 } from "./xxhash32.ts";
export { checkZstd } from "./zstd-frame.ts";
