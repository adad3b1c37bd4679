import { assert } from "@mantou/base";
import { EncodeError } from "./failure.ts";
import type { FileRange } from "./records-field.ts";
import { writeUuid } from "./uuid.ts";

/** Largest output unless the caller says otherwise: a frame's length is an int32. */
const BYTES_MAX_DEFAULT = 0x7fff_ffff;
const TWO_32 = 0x1_0000_0000;

/** Bytes that an unsigned varint takes. */
export const uvarintBytes = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;

/**
 * Memory that grows, what has a width of its own, and varints. {@link Writer} adds the rest.
 */
export class NumberWriter {
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

  protected uvarintAt(at: number, value: number, count: number): void {
    let rest = value;
    for (let i = 0; i < count - 1; i++) {
      this.bytes[at + i] = (rest & 0x7f) | 0x80;
      rest = rest >>> 7;
    }
    this.bytes[at + count - 1] = rest;
  }

  /** Copies bytes as they are. */
  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.byteLength);
    this.bytes.set(bytes, at);
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
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "object") return (value as object).constructor?.name ?? "an object";
  return `${typeof value} ${String(value).slice(0, 40)}`;
}
