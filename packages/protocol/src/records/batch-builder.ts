import {
  BATCH_HEADER_BYTES,
  BatchAttribute,
  BatchField,
  LOG_OVERHEAD_BYTES,
} from "./batch-view.ts";
import { MAGIC_V2 } from "./batch-view.ts";
import { codecFor, type Codecs, CompressionType } from "./codec.ts";
import { crc32c } from "./crc.ts";
import { GrowingBytes } from "./growing-bytes.ts";
import { putInt64 } from "./int64.ts";
import type { RecordHeader } from "./record-cursor.ts";
import { putVarint, varintSize } from "./varint.ts";

/** A record as it goes in. */
export interface RecordInput {
  readonly key?: Uint8Array | null;
  readonly value?: Uint8Array | null;
  /** Milliseconds since the epoch; -1, also when absent: none. */
  readonly timestamp?: number;
  readonly headers?: readonly RecordHeader[];
  /** Offset relative to the batch's base; one more than the last record's when absent. */
  readonly offsetDelta?: number;
}

/** Header fields of a batch, with what a plain producer sends as fallback. */
export interface BatchOptions {
  /** NONE when absent. */
  readonly codec?: CompressionType;
  /** Needed for every codec but NONE. */
  readonly codecs?: Codecs;
  /** 0 when absent. */
  readonly baseOffset?: number;
  /** -1 when absent. */
  readonly partitionLeaderEpoch?: number;
  /** Makes this the time of every record (LogAppendTime). */
  readonly appendTimestamp?: number;
  /** -1 when absent. */
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  /** The last offset delta, where it is not that of the last record. */
  readonly lastOffsetDelta?: number;
}

const utf8 = new TextEncoder();
const noHeaders: readonly RecordHeader[] = [];

/** Encodes records as they come and closes them into one v2 batch. */
export class BatchBuilder {
  private readonly out: GrowingBytes;
  private baseTimestamp = -1;
  private maxTimestamp = -1;
  private lastOffsetDelta = -1;
  private count = 0;

  constructor(initialBytes = 1024) {
    this.out = new GrowingBytes(Math.max(initialBytes, BATCH_HEADER_BYTES));
    this.out.length = BATCH_HEADER_BYTES;
  }

  get recordsCount(): number {
    return this.count;
  }

  /** Bytes of the batch so far, without compression. */
  get sizeBytes(): number {
    return this.out.length;
  }

  append(record: RecordInput): void {
    const timestamp = record.timestamp ?? -1;
    if (this.count === 0) this.baseTimestamp = timestamp;
    this.maxTimestamp = Math.max(this.maxTimestamp, timestamp);
    const timestampDelta = timestamp - this.baseTimestamp;
    const offsetDelta = record.offsetDelta ?? this.lastOffsetDelta + 1;
    const headers = record.headers ?? noHeaders;
    const keys = headers.length === 0 ? [] : headers.map((header) => utf8.encode(header.key));
    const bodyBytes =
      1 +
      varintSize(timestampDelta) +
      varintSize(offsetDelta) +
      partSize(record.key) +
      partSize(record.value) +
      headersSize(headers, keys);
    this.out.reserve(varintSize(bodyBytes) + bodyBytes);
    const { bytes } = this.out;
    let at = putVarint(bytes, this.out.length, bodyBytes);
    bytes[at] = 0;
    at = putVarint(bytes, at + 1, timestampDelta);
    at = putVarint(bytes, at, offsetDelta);
    at = putPart(bytes, at, record.key);
    at = putPart(bytes, at, record.value);
    at = putVarint(bytes, at, headers.length);
    for (const [index, header] of headers.entries()) {
      at = putPart(bytes, at, keys[index]);
      at = putPart(bytes, at, header.value);
    }
    this.out.length = at;
    this.lastOffsetDelta = offsetDelta;
    this.count += 1;
  }

  /**
   * The finished batch. It shares memory with this builder unless it is compressed, so the builder
   * is done with. Throws RecordsError (CODEC_MISSING).
   */
  build(options: BatchOptions = {}): Uint8Array {
    const codec = options.codec ?? CompressionType.NONE;
    let batch = this.out.written();
    if (codec !== CompressionType.NONE) {
      const plain = batch.subarray(BATCH_HEADER_BYTES);
      const packed = codecFor(options.codecs ?? {}, codec).compress(plain);
      batch = new Uint8Array(BATCH_HEADER_BYTES + packed.length);
      batch.set(packed, BATCH_HEADER_BYTES);
    }
    this.putHeader(batch, codec, options);
    return batch;
  }

  private putHeader(batch: Uint8Array, codec: number, options: BatchOptions): void {
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    const attributes =
      codec |
      (options.appendTimestamp === undefined ? 0 : BatchAttribute.LOG_APPEND_TIME) |
      (options.transactional === true ? BatchAttribute.TRANSACTIONAL : 0) |
      (options.control === true ? BatchAttribute.CONTROL : 0);
    putInt64(view, BatchField.baseOffset, options.baseOffset ?? 0);
    view.setInt32(BatchField.batchLength, batch.length - LOG_OVERHEAD_BYTES);
    view.setInt32(BatchField.partitionLeaderEpoch, options.partitionLeaderEpoch ?? -1);
    view.setInt8(BatchField.magic, MAGIC_V2);
    view.setInt16(BatchField.attributes, attributes);
    const lastOffsetDelta = options.lastOffsetDelta ?? Math.max(0, this.lastOffsetDelta);
    view.setInt32(BatchField.lastOffsetDelta, lastOffsetDelta);
    putInt64(view, BatchField.baseTimestamp, this.baseTimestamp);
    putInt64(view, BatchField.maxTimestamp, options.appendTimestamp ?? this.maxTimestamp);
    putInt64(view, BatchField.producerId, options.producerId ?? -1);
    view.setInt16(BatchField.producerEpoch, options.producerEpoch ?? -1);
    view.setInt32(BatchField.baseSequence, options.baseSequence ?? -1);
    view.setInt32(BatchField.recordsCount, this.count);
    view.setUint32(BatchField.crc, crc32c(batch, BatchField.attributes));
  }
}

function partSize(part: Uint8Array | null | undefined): number {
  return part === null || part === undefined ? 1 : varintSize(part.length) + part.length;
}

function headersSize(headers: readonly RecordHeader[], keys: readonly Uint8Array[]): number {
  let size = varintSize(headers.length);
  for (const key of keys) size += partSize(key);
  for (const header of headers) size += partSize(header.value);
  return size;
}

function putPart(bytes: Uint8Array, at: number, part: Uint8Array | null | undefined): number {
  if (part === null || part === undefined) return putVarint(bytes, at, -1);
  const start = putVarint(bytes, at, part.length);
  bytes.set(part, start);
  return start + part.length;
}

/** The v2 batch of `records`. For many records one by one, see {@link BatchBuilder}. */
export function encodeBatch(
  records: readonly RecordInput[],
  options: BatchOptions = {},
): Uint8Array {
  const builder = new BatchBuilder();
  for (const record of records) builder.append(record);
  return builder.build(options);
}
