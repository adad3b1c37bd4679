import { assert } from "@mantou/base";
import { EncodeError } from "./failure.ts";
import { STRING_BYTES_MAX } from "./reader.ts";
import type { FileRange, Records } from "./records-field.ts";
import { encodeText, writeAscii } from "./text.ts";
import { writeUuid } from "./uuid.ts";

/** Largest output unless the caller says otherwise: a frame's length is an int32. */
const BYTES_MAX_DEFAULT = 0x7fff_ffff;
const TWO_32 = 0x1_0000_0000;

const uvarintBytes = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;

/**
 * Bytes in the making, with gaps that are filled from files: `files[i]` goes out before the byte
 * at `filesAt[i]`. One Writer serves many messages; `reset` keeps the memory.
 *
 * Methods throw {@link EncodeError} when a value cannot be said or the output is full.
 */
export class Writer {
  /** The memory; the first `length` bytes are written. Replaced when it grows. */
  bytes: Uint8Array;
  view: DataView;
  /** Bytes written, without those of file ranges. */
  length = 0;
  /** Ranges of segment files in the order in which they go out. */
  readonly files: FileRange[] = [];
  /** For each file range: how many of `bytes` go out before it. */
  readonly filesAt: number[] = [];
  private fileBytes = 0;
  private readonly bytesMax: number;

  constructor(initialBytes: number, bytesMax = BYTES_MAX_DEFAULT) {
    assert(initialBytes > 0 && initialBytes <= bytesMax, "writer: size");
    this.bytes = new Uint8Array(initialBytes);
    this.view = new DataView(this.bytes.buffer);
    this.bytesMax = bytesMax;
  }

  reset(): this {
    this.length = 0;
    this.fileBytes = 0;
    this.files.length = 0;
    this.filesAt.length = 0;
    return this;
  }

  /** Bytes of the whole output, file ranges included. */
  get totalBytes(): number {
    return this.length + this.fileBytes;
  }

  /** A copy of the written bytes; only for output without file ranges. */
  toBytes(): Uint8Array {
    assert(this.files.length === 0, "writer: output has file ranges");
    return this.bytes.slice(0, this.length);
  }

  /** Forgets what was written since the output had this length and so many file ranges. */
  rewind(length: number, fileCount: number): void {
    assert(length <= this.length && fileCount <= this.files.length, "writer: rewind");
    this.length = length;
    while (this.files.length > fileCount) {
      this.filesAt.pop();
      this.fileBytes -= (this.files.pop() as FileRange).length;
    }
  }

  fail(message: string): never {
    throw new EncodeError(message);
  }

  /** Fails because `value` is not what the type takes. */
  failType(type: string, value: unknown): never {
    this.fail(`expected ${type}, got ${describe(value)}`);
  }

  /** Makes room for `length` bytes, counts them as written, and returns where they start. */
  reserve(length: number): number {
    const at = this.length;
    const end = at + length;
    if (end > this.bytes.byteLength) this.grow(end);
    this.length = end;
    return at;
  }

  private grow(needed: number): void {
    if (needed + this.fileBytes > this.bytesMax) this.fail(`output over ${this.bytesMax} bytes`);
    const size = Math.min(this.bytesMax, Math.max(needed, this.bytes.byteLength * 2));
    const larger = new Uint8Array(size);
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }

  bool(value: boolean): void {
    if (typeof value !== "boolean") this.failType("bool", value);
    const at = this.reserve(1);
    this.bytes[at] = value ? 1 : 0;
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) this.failType("int8", value);
    const at = this.reserve(1);
    this.view.setInt8(at, value);
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) this.failType("int16", value);
    const at = this.reserve(2);
    this.view.setInt16(at, value);
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) this.failType("uint16", value);
    const at = this.reserve(2);
    this.view.setUint16(at, value);
  }

  int32(value: number): void {
    if ((value | 0) !== value) this.failType("int32", value);
    const at = this.reserve(4);
    this.view.setInt32(at, value);
  }

  uint32(value: number): void {
    if (value >>> 0 !== value) this.failType("uint32", value);
    const at = this.reserve(4);
    this.view.setUint32(at, value);
  }

  int64(value: number): void {
    this.checkInt64(value);
    this.int64At(this.reserve(8), value);
  }

  checkInt64(value: number): void {
    if (!Number.isSafeInteger(value)) this.failType("int64 below 2^53", value);
  }

  /** Writes a checked int64 at a place that was reserved before. */
  int64At(at: number, value: number): void {
    const high = Math.floor(value / TWO_32);
    this.view.setInt32(at, high);
    this.view.setUint32(at + 4, value - high * TWO_32);
  }

  float64(value: number): void {
    if (typeof value !== "number") this.failType("float64", value);
    const at = this.reserve(8);
    this.view.setFloat64(at, value);
  }

  uuid(value: string): void {
    const at = this.reserve(16);
    this.uuidAt(at, value);
  }

  uuidAt(at: number, value: string): void {
    if (!writeUuid(this.view, at, value)) this.failType("uuid", value);
  }

  uvarint(value: number): void {
    if (value < 0x80) {
      const at = this.reserve(1);
      this.bytes[at] = value;
      return;
    }
    const count = uvarintBytes(value);
    this.uvarintAt(this.reserve(count), value, count);
  }

  private uvarintAt(at: number, value: number, count: number): void {
    let rest = value;
    for (let i = 0; i < count - 1; i++) {
      this.bytes[at + i] = (rest & 0x7f) | 0x80;
      rest = rest >>> 7;
    }
    this.bytes[at + count - 1] = rest;
  }

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

  /** Copies bytes as they are. */
  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.byteLength);
    this.bytes.set(bytes, at);
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

  /** Lets a file range go out at this place. */
  file(range: FileRange): void {
    if (range.length === 0) return;
    if (this.totalBytes + range.length > this.bytesMax) {
      this.fail(`output over ${this.bytesMax} bytes`);
    }
    this.files.push(range);
    this.filesAt.push(this.length);
    this.fileBytes += range.length;
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

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "object") return (value as object).constructor?.name ?? "an object";
  return `${typeof value} ${String(value).slice(0, 40)}`;
}
