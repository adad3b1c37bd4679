import { crc32c } from "./crc32c.ts";

/** Byte positions in the header of a v2 record batch (KIP-98). */
export const At = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
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
  records: 61,
} as const;

/** Bytes before the first record. */
export const HEADER_BYTES = 61;
/** Bytes that the batch's own length field does not count. */
export const LENGTH_PREFIX_BYTES = 12;

export const Attribute = {
  CODEC_MASK: 0x07,
  LOG_APPEND_TIME: 0x08,
  TRANSACTIONAL: 0x10,
  CONTROL: 0x20,
} as const;

/** A signed 64-bit integer as a double; exact below 2^53. */
export const int64 = (view: DataView, at: number): number =>
  view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);

export function setInt64(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value >>> 0);
}

/** Redoes the checksum after a change behind the CRC field. */
export function sealCrc(bytes: Uint8Array, view: DataView): void {
  view.setUint32(At.crc, crc32c(bytes, At.attributes, bytes.length - At.attributes));
}

/** Walks varints of a batch's record section without copying it. */
export class RecordCursor {
  at = 0;
  private end = 0;
  failed = false;

  constructor(private bytes: Uint8Array) {}

  reset(bytes: Uint8Array, from: number, end: number): void {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
    this.failed = false;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  /** A zig-zag varint of up to 32 bits; sets `failed` when it does not end. */
  varint(): number {
    let raw = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.at >= this.end) break;
      const byte = this.bytes[this.at++] as number;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
    this.failed = true;
    return 0;
  }

  /** A zig-zag varint of up to 64 bits, as a double. */
  varlong(): number {
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index++) {
      if (this.at >= this.end) break;
      const byte = this.bytes[this.at++] as number;
      if (index < 4) low += (byte & 0x7f) * 2 ** (7 * index);
      else high += (byte & 0x7f) * 2 ** (7 * (index - 4));
      if (byte < 0x80) return unzigzag(high, low);
    }
    this.failed = true;
    return 0;
  }

  skip(length: number): void {
    if (length < 0 || length > this.remaining) this.failed = true;
    else this.at += length;
  }
}

/** The raw value is high * 2^28 + low; halves it without losing the sign bit. */
function unzigzag(high: number, low: number): number {
  const negative = low % 2 === 1;
  const half = high * 2 ** 27 + Math.floor(low / 2);
  return negative ? -half - 1 : half;
}
