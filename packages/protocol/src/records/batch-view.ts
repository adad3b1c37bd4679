import { crc32c } from "./crc.ts";
import { getInt64, putInt64 } from "./int64.ts";

/** Bytes of a v2 batch's header, before its records. */
export const BATCH_HEADER_BYTES = 61;
/** Bytes of base offset and length, which the length field does not count. */
export const LOG_OVERHEAD_BYTES = 12;
/** The only magic that is written today. */
export const MAGIC_V2 = 2;

/** Where each header field lies, in bytes from the start of the batch. */
export const BatchField = {
  baseOffset: 0,
  batchLength: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordsCount: 57,
} as const;

/** Bits of the attributes field. */
export const BatchAttribute = {
  CODEC_MASK: 0x07,
  LOG_APPEND_TIME: 0x08,
  TRANSACTIONAL: 0x10,
  CONTROL: 0x20,
  DELETE_HORIZON: 0x40,
} as const;

/**
 * A view of one v2 batch header in a larger buffer. Reused by moving it: nothing is copied or
 * allocated. The caller makes sure that BATCH_HEADER_BYTES lie behind the offset (see
 * `batchFault`); reads beyond the buffer throw RangeError.
 * int64 fields are numbers, saturated to +-(2^53 - 1).
 */
export class BatchView {
  private view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the batch begins in the buffer. */
  offset = 0;

  at(view: DataView, offset: number): this {
    this.view = view;
    this.offset = offset;
    return this;
  }

  get baseOffset(): number {
    return getInt64(this.view, this.offset);
  }

  set baseOffset(value: number) {
    putInt64(this.view, this.offset, value);
  }

  /** The length field: bytes behind it. See {@link sizeBytes}. */
  get batchLength(): number {
    return this.view.getInt32(this.offset + BatchField.batchLength);
  }

  /** The whole batch: its length field and the 12 bytes that it does not count. */
  get sizeBytes(): number {
    return this.batchLength + LOG_OVERHEAD_BYTES;
  }

  get partitionLeaderEpoch(): number {
    return this.view.getInt32(this.offset + BatchField.partitionLeaderEpoch);
  }

  /** Outside of the CRC, like the base offset. */
  set partitionLeaderEpoch(value: number) {
    this.view.setInt32(this.offset + BatchField.partitionLeaderEpoch, value);
  }

  get magic(): number {
    return this.view.getInt8(this.offset + BatchField.magic);
  }

  get crc(): number {
    return this.view.getUint32(this.offset + BatchField.crc);
  }

  get attributes(): number {
    return this.view.getInt16(this.offset + BatchField.attributes);
  }

  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; 5 to 7 mean nothing. */
  get codec(): number {
    return this.attributes & BatchAttribute.CODEC_MASK;
  }

  get isLogAppendTime(): boolean {
    return (this.attributes & BatchAttribute.LOG_APPEND_TIME) !== 0;
  }

  get isTransactional(): boolean {
    return (this.attributes & BatchAttribute.TRANSACTIONAL) !== 0;
  }

  get isControl(): boolean {
    return (this.attributes & BatchAttribute.CONTROL) !== 0;
  }

  /** Whether `baseTimestamp` is the time until which the batch's tombstones are kept. */
  get hasDeleteHorizon(): boolean {
    return (this.attributes & BatchAttribute.DELETE_HORIZON) !== 0;
  }

  get lastOffsetDelta(): number {
    return this.view.getInt32(this.offset + BatchField.lastOffsetDelta);
  }

  /** The offset of the last record, also where compaction has removed that record. */
  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta;
  }

  get baseTimestamp(): number {
    return getInt64(this.view, this.offset + BatchField.baseTimestamp);
  }

  get maxTimestamp(): number {
    return getInt64(this.view, this.offset + BatchField.maxTimestamp);
  }

  /** -1: the producer is not idempotent. */
  get producerId(): number {
    return getInt64(this.view, this.offset + BatchField.producerId);
  }

  get producerEpoch(): number {
    return this.view.getInt16(this.offset + BatchField.producerEpoch);
  }

  get baseSequence(): number {
    return this.view.getInt32(this.offset + BatchField.baseSequence);
  }

  /** The sequence number of the last record; sequences wrap from 2^31 - 1 to 0. */
  get lastSequence(): number {
    return addSequence(this.baseSequence, this.lastOffsetDelta);
  }

  get recordsCount(): number {
    return this.view.getInt32(this.offset + BatchField.recordsCount);
  }

  /** Absolute position of the first record, or of the compressed payload. */
  get recordsOffset(): number {
    return this.offset + BATCH_HEADER_BYTES;
  }

  /** Absolute position behind the batch. */
  get endOffset(): number {
    return this.offset + this.sizeBytes;
  }

  /** The CRC that the bytes have. `bytes` is the buffer of this view, with the same origin. */
  computeCrc(bytes: Uint8Array): number {
    return crc32c(bytes, this.offset + BatchField.attributes, this.endOffset);
  }

  /** Makes the append time the time of every record, and redoes the CRC. */
  stampLogAppendTime(bytes: Uint8Array, nowMs: number): void {
    const attributes = this.attributes | BatchAttribute.LOG_APPEND_TIME;
    this.view.setInt16(this.offset + BatchField.attributes, attributes);
    putInt64(this.view, this.offset + BatchField.maxTimestamp, nowMs);
    this.view.setUint32(this.offset + BatchField.crc, this.computeCrc(bytes));
  }
}

/** A sequence number moved on by `delta`, 0 to 2^31 - 1; wraps as Kafka's do. */
export function addSequence(sequence: number, delta: number): number {
  return (sequence + delta) % 0x8000_0000;
}
