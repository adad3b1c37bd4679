import type { Uuid } from "@mantou/base";
import { assert } from "@mantou/base";
import { DecodeError } from "./failure.ts";
import { readUuid } from "./uuid.ts";

/** What a message may take in memory once decoded, unless the caller says otherwise. */
export const DECODE_BUDGET_BYTES_DEFAULT = 64 * 1024 * 1024;

const TWO_32 = 0x1_0000_0000;
/** High words of the int64 values that a number holds exactly: below 2^53 in magnitude. */
const HIGH_MAX = 0x1f_ffff;
const HIGH_MIN = -0x20_0000;

/** The nearest number to `high * 2^32 + low` (signed, unsigned) within +-(2^53 - 1). */
export function saturate(high: number, low: number): number {
  if (high > HIGH_MAX) return Number.MAX_SAFE_INTEGER;
  if (high < HIGH_MIN || (high === HIGH_MIN && low === 0)) return Number.MIN_SAFE_INTEGER;
  return high * TWO_32 + low;
}

/**
 * A position in a buffer: what has a width of its own, and varints. {@link Reader} adds the rest.
 */
export class NumberReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Next byte to read, and the byte behind the message (or the tagged field being read). */
  at = 0;
  end = 0;
  /** Bytes of memory that may still be used up by what is decoded. */
  budgetBytes = DECODE_BUDGET_BYTES_DEFAULT;

  constructor(
    bytes: Uint8Array,
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  ) {
    assert(view.byteLength === bytes.byteLength, "reader: view and bytes differ");
    this.bytes = bytes;
    this.view = view;
    this.end = bytes.byteLength;
  }

  /** Turns to another message: `length` bytes from `offset`. */
  reset(offset: number, length: number, budgetBytes = DECODE_BUDGET_BYTES_DEFAULT): this {
    const inside = offset >= 0 && length >= 0 && offset + length <= this.bytes.byteLength;
    assert(inside, "reader: range outside of the buffer");
    this.at = offset;
    this.end = offset + length;
    this.budgetBytes = budgetBytes;
    return this;
  }

  /** Position of the next byte in the buffer. */
  get offset(): number {
    return this.at;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  fail(message: string, position = this.at): never {
    throw new DecodeError(message, position);
  }

  /** Moves over `length` bytes and returns where they start. */
  take(length: number): number {
    const at = this.at;
    if (length > this.end - at) this.failShort(length);
    this.at = at + length;
    return at;
  }

  protected failShort(length: number): never {
    this.fail(`needs ${length} bytes where ${this.remaining} remain`);
  }

  /** Uses up budget for something that is about to be allocated. */
  charge(bytes: number): void {
    this.budgetBytes -= bytes;
    if (this.budgetBytes < 0) this.fail("takes more memory than a message may");
  }

  bool(): boolean {
    return this.view.getUint8(this.take(1)) !== 0;
  }

  int8(): number {
    return this.view.getInt8(this.take(1));
  }

  int16(): number {
    return this.view.getInt16(this.take(2));
  }

  uint16(): number {
    return this.view.getUint16(this.take(2));
  }

  int32(): number {
    return this.view.getInt32(this.take(4));
  }

  uint32(): number {
    return this.view.getUint32(this.take(4));
  }

  /** Saturates to +-(2^53 - 1). */
  int64(): number {
    return this.int64At(this.take(8));
  }

  float64(): number {
    return this.view.getFloat64(this.take(8));
  }

  uuid(): Uuid {
    return readUuid(this.view, this.take(16));
  }

  /** The int64 at a place that was taken before. */
  int64At(at: number): number {
    const high = this.view.getInt32(at);
    const low = this.view.getUint32(at + 4);
    if (high > HIGH_MAX || high <= HIGH_MIN) return saturate(high, low);
    return high * TWO_32 + low;
  }

  /** LEB128, at most five bytes and 32 bits. */
  uvarint(): number {
    if (this.at >= this.end) this.failShort(1);
    const byte = this.bytes[this.at] as number;
    if (byte < 0x80) {
      this.at += 1;
      return byte;
    }
    return this.uvarintLong();
  }

  private uvarintLong(): number {
    const start = this.at;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.view.getUint8(this.take(1));
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    const last = this.view.getUint8(this.take(1));
    if (last > 0x0f) this.fail("varint of more than 32 bits", start);
    return (value | (last << 28)) >>> 0;
  }
}
