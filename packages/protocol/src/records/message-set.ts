import { INFLATED_BYTES_MAX } from "./batch-fault.ts";
import { LOG_OVERHEAD_BYTES } from "./batch-view.ts";
import { codecFor, CompressionType } from "./codec.ts";
import { crc32 } from "./crc.ts";
import type { DecodeBatchesOptions, DecodedBatch, DecodedRecord } from "./decode-batches.ts";
import { getInt64 } from "./int64.ts";
import { repairLegacyLz4 } from "./lz4-frame.ts";
import { BatchFault, RecordsError } from "./records-error.ts";

/** Where the parts of an entry lie, from its start: offset 0, size 8, crc 12. */
const MAGIC_AT = 16;
const ATTRIBUTES_AT = 17;
const TIMESTAMP_AT = 18;
const ENTRY_BYTES_MIN = [26, 34] as const;
const LOG_APPEND_TIME = 0x08;

interface Entry {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly magic: number;
  readonly crc: number;
  readonly codec: number;
  readonly isLogAppendTime: boolean;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

const fail = (at: number, why: string, fault: BatchFault = BatchFault.RECORDS): never => {
  throw new RecordsError(fault, `the old message at byte ${at} ${why}`);
};

function readEntry(bytes: Uint8Array, view: DataView, at: number, checkCrc: boolean): Entry {
  const left = bytes.length - at;
  if (left < ENTRY_BYTES_MIN[0]) fail(at, "is cut off", BatchFault.TRUNCATED);
  const sizeBytes = view.getInt32(at + 8) + LOG_OVERHEAD_BYTES;
  const magic = view.getInt8(at + MAGIC_AT);
  if (magic !== 0 && magic !== 1) return fail(at, `has magic ${magic}`, BatchFault.MAGIC);
  if (sizeBytes > left || sizeBytes < ENTRY_BYTES_MIN[magic]) {
    fail(at, `claims ${sizeBytes} bytes`, BatchFault.TRUNCATED);
  }
  const end = at + sizeBytes;
  const crc = view.getUint32(at + LOG_OVERHEAD_BYTES);
  if (checkCrc && crc32(bytes, at + MAGIC_AT, end) !== crc) fail(at, "is corrupt", BatchFault.CRC);
  const attributes = view.getInt8(at + ATTRIBUTES_AT);
  let position = magic === 0 ? at + TIMESTAMP_AT : at + TIMESTAMP_AT + 8;
  const part = (): Uint8Array | null => {
    if (end - position < 4) fail(at, "ends within a length");
    const length = view.getInt32(position);
    position += 4;
    if (length < -1 || length > end - position) fail(at, `holds a length of ${length}`);
    if (length < 0) return null;
    position += length;
    return bytes.subarray(position - length, position);
  };
  const key = part();
  const value = part();
  if (position !== end) fail(at, `has ${end - position} bytes to spare`);
  return {
    offset: getInt64(view, at),
    sizeBytes,
    magic,
    crc,
    codec: attributes & 0x07,
    isLogAppendTime: magic === 1 && (attributes & LOG_APPEND_TIME) !== 0,
    timestamp: magic === 1 ? getInt64(view, at + TIMESTAMP_AT) : -1,
    key,
    value,
  };
}

/** The entries in a compressed entry. Offsets: absolute in v0, relative to the last one in v1. */
function innerRecords(outer: Entry, at: number, options: DecodeBatchesOptions): DecodedRecord[] {
  const value = outer.value ?? fail(at, "is compressed and has no value");
  if (outer.codec === CompressionType.ZSTD) fail(at, "uses zstd", BatchFault.COMPRESSION);
  const codec = codecFor(options.codecs ?? {}, outer.codec);
  const legacyLz4 = outer.magic === 0 && outer.codec === CompressionType.LZ4;
  const payload = legacyLz4 ? repairLegacyLz4(value) : value;
  const plain = codec.decompress(payload, options.inflatedBytesMax ?? INFLATED_BYTES_MAX);
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const inner: Entry[] = [];
  for (let position = 0; position < plain.length;) {
    const entry = readEntry(plain, view, position, options.checkCrc !== false);
    if (entry.codec !== CompressionType.NONE) fail(at, "holds a compressed message");
    inner.push(entry);
    position += entry.sizeBytes;
  }
  const last = inner.at(-1) ?? fail(at, "holds no message");
  const base = outer.magic === 0 ? 0 : outer.offset - last.offset;
  return inner.map((entry) => ({
    offset: base + entry.offset,
    timestamp: outer.isLogAppendTime ? outer.timestamp : entry.timestamp,
    key: entry.key,
    value: entry.value,
    headers: [],
  }));
}

/** Decodes the entry of an old message set (magic 0 or 1) at `at` as a batch of its own. */
export function decodeMessageSetEntry(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  options: DecodeBatchesOptions,
): DecodedBatch {
  const entry = readEntry(bytes, view, at, options.checkCrc !== false);
  const { offset, timestamp, key, value } = entry;
  const records: DecodedRecord[] =
    entry.codec === CompressionType.NONE
      ? [{ offset, timestamp, key, value, headers: [] }]
      : innerRecords(entry, at, options);
  const first = records[0] as DecodedRecord;
  return {
    baseOffset: first.offset,
    lastOffset: offset,
    sizeBytes: entry.sizeBytes,
    partitionLeaderEpoch: -1,
    magic: entry.magic,
    crc: entry.crc,
    codec: entry.codec as CompressionType,
    isLogAppendTime: entry.isLogAppendTime,
    isTransactional: false,
    isControl: false,
    hasDeleteHorizon: false,
    baseTimestamp: first.timestamp,
    maxTimestamp: timestamp,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    records,
  };
}
