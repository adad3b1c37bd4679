import type { Uuid } from "@mantou/base";
import { assert } from "@mantou/base";
import { DecodeError } from "./failure.ts";
import type { Span } from "./records-field.ts";
import { readText } from "./text.ts";
import { readUuid } from "./uuid.ts";

/** What a message may take in memory once decoded, unless the caller says otherwise. */
export const DECODE_BUDGET_BYTES_DEFAULT = 64 * 1024 * 1024;

/** Longest string in either encoding, in bytes. */
export const STRING_BYTES_MAX = 0x7fff;

/** Rough cost of things in memory, beside their content. */
const STRING_COST_BYTES = 24;
const BYTES_COST_BYTES = 64;
/** A tag that we do not know costs time rather than memory; the charge bounds a flood of them. */
const UNKNOWN_TAG_COST_BYTES = 32;

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
 * A position in a buffer that exists already (usually the arena): nothing is copied. One Reader
 * serves all messages of its buffer, one after the other. Every length is checked against what
 * remains before it is believed, and what decoding allocates is charged to a budget.
 *
 * Methods throw {@link DecodeError}; after that, only `reset` makes the reader usable again.
 */
export class Reader {
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

  private failShort(length: number): never {
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

  // Lengths. Each returns -1 for null, and has checked that the bytes are there.

  private length(length: number, position: number): number {
    if (length < -1) this.fail(`length ${length}`, position);
    if (length > this.end - this.at) {
      this.fail(`length ${length} where ${this.remaining} bytes remain`, position);
    }
    return length;
  }

  private int32Length(): number {
    const position = this.at;
    return this.length(this.int32(), position);
  }

  private compactLength(): number {
    const position = this.at;
    return this.length(this.uvarint() - 1, position);
  }

  private text(length: number, position: number): string {
    if (length > STRING_BYTES_MAX) this.fail(`string of ${length} bytes`, position);
    this.charge(STRING_COST_BYTES + length);
    return readText(this.bytes, this.take(length), length);
  }

  private failNull(position: number): never {
    this.fail("null where a value must be", position);
  }

  string(): string {
    const position = this.at;
    const length = this.length(this.int16(), position);
    if (length < 0) this.failNull(position);
    return this.text(length, position);
  }

  nullableString(): string | null {
    const position = this.at;
    const length = this.length(this.int16(), position);
    return length < 0 ? null : this.text(length, position);
  }

  compactString(): string {
    const position = this.at;
    const length = this.compactLength();
    if (length < 0) this.failNull(position);
    return this.text(length, position);
  }

  nullableCompactString(): string | null {
    const position = this.at;
    const length = this.compactLength();
    return length < 0 ? null : this.text(length, position);
  }

  private copy(length: number): Uint8Array {
    this.charge(BYTES_COST_BYTES + length);
    const at = this.take(length);
    return this.bytes.slice(at, at + length);
  }

  bytesField(): Uint8Array {
    const position = this.at;
    const length = this.int32Length();
    if (length < 0) this.failNull(position);
    return this.copy(length);
  }

  nullableBytesField(): Uint8Array | null {
    const length = this.int32Length();
    return length < 0 ? null : this.copy(length);
  }

  compactBytesField(): Uint8Array {
    const position = this.at;
    const length = this.compactLength();
    if (length < 0) this.failNull(position);
    return this.copy(length);
  }

  nullableCompactBytesField(): Uint8Array | null {
    const length = this.compactLength();
    return length < 0 ? null : this.copy(length);
  }

  records(): Span {
    const position = this.at;
    const length = this.int32Length();
    if (length < 0) this.failNull(position);
    return { offset: this.take(length), length };
  }

  nullableRecords(): Span | null {
    const length = this.int32Length();
    return length < 0 ? null : { offset: this.take(length), length };
  }

  compactRecords(): Span {
    const position = this.at;
    const length = this.compactLength();
    if (length < 0) this.failNull(position);
    return { offset: this.take(length), length };
  }

  nullableCompactRecords(): Span | null {
    const length = this.compactLength();
    return length < 0 ? null : { offset: this.take(length), length };
  }

  // Arrays: the count, after it was held against what remains and charged. -1 for null.

  private counted(count: number, minBytes: number, costBytes: number, position: number): number {
    if (count < -1) this.fail(`count ${count}`, position);
    if (count * minBytes > this.end - this.at) {
      this.fail(`${count} elements where ${this.remaining} bytes remain`, position);
    }
    if (count > 0) this.charge(count * costBytes);
    return count;
  }

  count(minBytes: number, costBytes: number): number {
    const position = this.at;
    const count = this.counted(this.int32(), minBytes, costBytes, position);
    if (count < 0) this.failNull(position);
    return count;
  }

  nullableCount(minBytes: number, costBytes: number): number {
    const position = this.at;
    return this.counted(this.int32(), minBytes, costBytes, position);
  }

  compactCount(minBytes: number, costBytes: number): number {
    const position = this.at;
    const count = this.counted(this.uvarint() - 1, minBytes, costBytes, position);
    if (count < 0) this.failNull(position);
    return count;
  }

  nullableCompactCount(minBytes: number, costBytes: number): number {
    const position = this.at;
    return this.counted(this.uvarint() - 1, minBytes, costBytes, position);
  }

  /** The marker of a nullable struct: 1 present, -1 null. */
  present(): boolean {
    const marker = this.int8();
    if (marker === 1) return true;
    if (marker !== -1) this.fail(`presence marker ${marker}`, this.at - 1);
    return false;
  }

  // Tagged fields.

  /** Skips a struct's tagged fields where the version knows none. */
  skipTags(): void {
    let count = this.uvarint();
    if (count === 0) return;
    this.checkTagCount(count);
    for (; count > 0; count--) {
      this.uvarint();
      this.skipTag(this.enterTag());
    }
  }

  /** How many tagged fields follow. */
  tagCount(): number {
    const count = this.uvarint();
    if (count !== 0) this.checkTagCount(count);
    return count;
  }

  private checkTagCount(count: number): void {
    // A tagged field is at least its tag and its size.
    if (count * 2 > this.remaining) {
      this.fail(`${count} tagged fields where ${this.remaining} bytes remain`);
    }
  }

  /** Reads the size of a tagged field and makes it the end; returns the end to go back to. */
  enterTag(): number {
    const position = this.at;
    const size = this.uvarint();
    const outer = this.end;
    if (size > outer - this.at) {
      this.fail(`tagged field of ${size} bytes where ${this.remaining} remain`, position);
    }
    this.end = this.at + size;
    return outer;
  }

  leaveTag(outer: number): void {
    if (this.at !== this.end) this.fail(`${this.remaining} bytes too many in a tagged field`);
    this.end = outer;
  }

  skipTag(outer: number): void {
    this.charge(UNKNOWN_TAG_COST_BYTES);
    this.at = this.end;
    this.end = outer;
  }
}
