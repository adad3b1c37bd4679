import { NumberReader } from "./number-reader.ts";
import type { Span } from "./records-field.ts";
import { encodeText, readText } from "./text.ts";

/** Longest string in either encoding, in bytes. */
export const STRING_BYTES_MAX = 0x7fff;

/** Rough cost of things in memory, beside their content. */
const STRING_COST_BYTES = 24;
const BYTES_COST_BYTES = 64;
/** A tag that we do not know costs time rather than memory; the charge bounds a flood of them. */
const UNKNOWN_TAG_COST_BYTES = 32;

/**
 * A position in a buffer that exists already (usually the arena): nothing is copied. One Reader
 * serves all messages of its buffer, one after the other. Every length is checked against what
 * remains before it is believed, and what decoding allocates is charged to a budget.
 *
 * Methods throw {@link DecodeError}; after that, only `reset` makes the reader usable again.
 */
export class Reader extends NumberReader {
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
    const text = readText(this.bytes, this.take(length), length);
    // A bad byte reads as U+FFFD, three bytes: such text may be too long to be answered with.
    if (length > STRING_BYTES_MAX / 3 && encodeText(text).length > STRING_BYTES_MAX) {
      this.fail(`string of ${length} bytes, much of it bad UTF-8`, position);
    }
    return text;
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
