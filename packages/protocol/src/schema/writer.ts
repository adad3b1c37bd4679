import { NumberWriter, uvarintBytes } from "./number-writer.ts";
import { STRING_BYTES_MAX } from "./reader.ts";
import type { FileRange, Records } from "./records-field.ts";
import { encodeText, writeAscii } from "./text.ts";

/**
 * Bytes in the making, with gaps that are filled from files: `files[i]` goes out before the byte
 * at `filesAt[i]`. One Writer serves many messages; `reset` keeps the memory.
 *
 * Methods throw {@link EncodeError} when a value cannot be said or the output is full.
 */
export class Writer extends NumberWriter {
  string(value: string): void {
    if (typeof value !== "string") this.failType("string", value);
    const length = value.length;
    const at = this.reserve(2 + length);
    if (writeAscii(this.bytes, at + 2, value)) {
      this.view.setInt16(at, length);
      return;
    }
    this.length = at;
    const text = this.checkedText(value);
    this.int16(text.byteLength);
    this.raw(text);
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1);
    else this.string(value);
  }

  compactString(value: string): void {
    if (typeof value !== "string") this.failType("string", value);
    const length = value.length;
    // Text that a loop can write is so short that its length takes one byte.
    const at = this.reserve(1 + length);
    if (writeAscii(this.bytes, at + 1, value)) {
      this.bytes[at] = length + 1;
      return;
    }
    this.length = at;
    const text = this.checkedText(value);
    this.uvarint(text.byteLength + 1);
    this.raw(text);
  }

  nullableCompactString(value: string | null): void {
    if (value === null) this.uvarint(0);
    else this.compactString(value);
  }

  private checkedText(value: string): Uint8Array {
    const text = encodeText(value);
    if (text.byteLength > STRING_BYTES_MAX) this.fail(`string of ${text.byteLength} bytes`);
    return text;
  }

  bytesField(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.failType("bytes", value);
    this.int32(value.byteLength);
    this.raw(value);
  }

  nullableBytesField(value: Uint8Array | null): void {
    if (value === null) this.int32(-1);
    else this.bytesField(value);
  }

  compactBytesField(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.failType("bytes", value);
    this.uvarint(value.byteLength + 1);
    this.raw(value);
  }

  nullableCompactBytesField(value: Uint8Array | null): void {
    if (value === null) this.uvarint(0);
    else this.compactBytesField(value);
  }

  records(value: Records): void {
    if (value instanceof Uint8Array) this.bytesField(value);
    else {
      const range = this.checkedRange(value);
      this.int32(range.length);
      this.file(range);
    }
  }

  nullableRecords(value: Records): void {
    if (value === null) this.int32(-1);
    else this.records(value);
  }

  compactRecords(value: Records): void {
    if (value instanceof Uint8Array) this.compactBytesField(value);
    else {
      const range = this.checkedRange(value);
      this.uvarint(range.length + 1);
      this.file(range);
    }
  }

  nullableCompactRecords(value: Records): void {
    if (value === null) this.uvarint(0);
    else this.compactRecords(value);
  }

  private checkedRange(value: Records): FileRange {
    if (value === null || typeof value !== "object" || !("pin" in value)) {
      this.failType("bytes or a file range", value);
    }
    return value as FileRange;
  }

  // Arrays: the count; false when there are no elements to write.

  count(list: readonly unknown[]): boolean {
    if (!Array.isArray(list)) this.failType("an array", list);
    this.int32(list.length);
    return list.length > 0;
  }

  nullableCount(list: readonly unknown[] | null): boolean {
    if (list !== null) return this.count(list);
    this.int32(-1);
    return false;
  }

  compactCount(list: readonly unknown[]): boolean {
    if (!Array.isArray(list)) this.failType("an array", list);
    this.uvarint(list.length + 1);
    return list.length > 0;
  }

  nullableCompactCount(list: readonly unknown[] | null): boolean {
    if (list !== null) return this.compactCount(list);
    this.uvarint(0);
    return false;
  }

  /** The marker of a nullable struct; false when it is null. */
  present(value: unknown): boolean {
    this.int8(value === null ? -1 : 1);
    return value !== null;
  }

  /** Starts a tagged field: writes its tag, leaves a byte for its size; returns a place to end it. */
  startTag(tag: number): number {
    this.uvarint(tag);
    return this.reserve(1);
  }

  /** Ends the tagged field that `startTag` gave `at` for: writes its size, moving it if need be. */
  endTag(at: number): void {
    const size = this.length - at - 1;
    const count = uvarintBytes(size);
    if (count > 1) {
      this.reserve(count - 1);
      this.bytes.copyWithin(at + count, at + 1, at + 1 + size);
    }
    this.uvarintAt(at, size, count);
  }
}
