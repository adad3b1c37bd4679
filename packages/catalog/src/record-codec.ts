import type { Uuid } from "@mantou/base";
import { uuidFromBytes, uuidToBytes } from "@mantou/protocol";

/**
 * The small binary language of our own metadata records: LEB128 integers, length-prefixed UTF-8,
 * sixteen-byte ids. A field is a pair of functions; `struct` puts fields together and infers the
 * type. Reading checks every length against what remains and throws {@link RecordFormatError}.
 */

/** Bytes that are not a record of ours. Caught at the codec's border and handed on as a value. */
export class RecordFormatError extends Error {
  override readonly name = "RecordFormatError";
}

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: true });

export class ByteWriter {
  private bytes = new Uint8Array(256);
  private used = 0;

  get length(): number {
    return this.used;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.used++] = value;
  }

  /** Unsigned LEB128. `value` is an integer in [0, 2^53 - 1]. */
  uvarint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.used++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.used++] = rest;
  }

  /** Zigzag LEB128 of a signed 32-bit integer. */
  varint(value: number): void {
    this.uvarint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.used);
    this.used += bytes.length;
  }

  string(value: string): void {
    const bytes = textEncoder.encode(value);
    this.uvarint(bytes.length);
    this.raw(bytes);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.used);
  }

  private reserve(more: number): void {
    if (this.used + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.used + more));
    grown.set(this.bytes.subarray(0, this.used));
    this.bytes = grown;
  }
}

export class ByteReader {
  private position = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  u8(): number {
    if (this.position >= this.bytes.length) throw new RecordFormatError("ends too early");
    return this.bytes[this.position++] as number;
  }

  uvarint(): number {
    // Nearly every number in a record fits into one byte.
    const first = this.bytes[this.position];
    if (first !== undefined && first < 0x80) {
      this.position += 1;
      return first;
    }
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new RecordFormatError("integer is longer than 53 bits");
  }

  varint(): number {
    const value = this.uvarint();
    if (value > 0xffff_ffff) throw new RecordFormatError("integer is longer than 32 bits");
    return (value >>> 1) ^ -(value & 1);
  }

  raw(length: number): Uint8Array {
    if (length > this.remaining) throw new RecordFormatError("ends too early");
    const bytes = this.bytes.subarray(this.position, this.position + length);
    this.position += length;
    return bytes;
  }

  string(): string {
    const bytes = this.raw(this.uvarint());
    try {
      return textDecoder.decode(bytes);
    } catch {
      throw new RecordFormatError("text is not UTF-8");
    }
  }

  /** A count of items of which each takes at least one byte. */
  count(): number {
    const count = this.uvarint();
    if (count > this.remaining) throw new RecordFormatError("counts more than there is");
    return count;
  }
}

/** How one value is written and read. */
export interface Field<T> {
  readonly write: (writer: ByteWriter, value: T) => void;
  readonly read: (reader: ByteReader) => T;
}

export const int32: Field<number> = {
  write: (writer, value) => writer.varint(value),
  read: (reader) => reader.varint(),
};

/** An integer in [0, 2^53 - 1]. */
export const uint53: Field<number> = {
  write: (writer, value) => writer.uvarint(value),
  read: (reader) => reader.uvarint(),
};

export const bool: Field<boolean> = {
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read: (reader) => reader.u8() !== 0,
};

export const string: Field<string> = {
  write: (writer, value) => writer.string(value),
  read: (reader) => reader.string(),
};

export const uuid: Field<Uuid> = {
  write: (writer, value) => writer.raw(uuidToBytes(value)),
  read: (reader) => uuidFromBytes(reader.raw(16)),
};

/** A packed list of signed 32-bit integers; one byte each while they are small. */
export const int32s: Field<Int32Array> = {
  write: (writer, value) => {
    writer.uvarint(value.length);
    for (let index = 0; index < value.length; index += 1) writer.varint(value[index] as number);
  },
  read: (reader) => {
    const value = new Int32Array(reader.count());
    for (let index = 0; index < value.length; index += 1) value[index] = reader.varint();
    return value;
  },
};

export const nullable = <T>(field: Field<T>): Field<T | null> => ({
  write: (writer, value) => {
    writer.u8(value === null ? 0 : 1);
    if (value !== null) field.write(writer, value);
  },
  read: (reader) => (reader.u8() === 0 ? null : field.read(reader)),
});

export const list = <T>(field: Field<T>): Field<readonly T[]> => ({
  write: (writer, value) => {
    writer.uvarint(value.length);
    for (const item of value) field.write(writer, item);
  },
  read: (reader) => {
    const value: T[] = [];
    for (let left = reader.count(); left > 0; left -= 1) value.push(field.read(reader));
    return value;
  },
});

/** Fields one behind the other, in the order of the shape's keys. */
export function struct<T extends object>(shape: {
  readonly [K in keyof T]: Field<T[K]>;
}): Field<Readonly<T>> {
  const fields = Object.entries(shape) as [string, Field<unknown>][];
  return {
    write: (writer, value) => {
      const values = value as Readonly<Record<string, unknown>>;
      for (const [name, field] of fields) field.write(writer, values[name]);
    },
    read: (reader) => {
      const value: Record<string, unknown> = {};
      for (const [name, field] of fields) value[name] = field.read(reader);
      return value as Readonly<T>;
    },
  };
}
