import type { CoordinatorRecord } from "@mantou/base";
import type { Codec } from "@mantou/protocol";
import { DecodeError, Reader, Writer } from "@mantou/protocol";

/**
 * A record of `__consumer_offsets`: key and value each begin with an int16. The key's is the type
 * of the record, the value's the version of its encoding; no value removes the key.
 */
export const RecordType = {
  LEGACY_OFFSET_COMMIT: 0,
  OFFSET_COMMIT: 1,
  GROUP_METADATA: 2,
} as const;

const PREFIX_BYTES = 2;
const WRITER_BYTES = 4_096;

/** One writer for all records: they are made one after the other, and copied out. */
const writer = new Writer(WRITER_BYTES);

/** @returns -1 where the key is too short to have a type. */
export function recordTypeOf(key: Uint8Array): number {
  if (key.length < PREFIX_BYTES) return -1;
  return ((((key[0] as number) << 8) | (key[1] as number)) << 16) >> 16;
}

export function encodeKey<T>(codec: Codec<unknown, T>, recordType: number, key: T): Uint8Array {
  writer.reset();
  writer.int16(recordType);
  codec.encode(writer, key, 0);
  return writer.toBytes();
}

export function encodeValue<T>(codec: Codec<unknown, T>, version: number, value: T): Uint8Array {
  writer.reset();
  writer.int16(version);
  codec.encode(writer, value, version);
  return writer.toBytes();
}

/** Throws DecodeError. */
export function decodeKey<T>(codec: Codec<T, never>, key: Uint8Array): T {
  const reader = new Reader(key);
  reader.int16();
  return codec.decode(reader, 0);
}

/** Throws DecodeError: a version that we do not know cannot be read at all. */
export function decodeValue<T>(codec: Codec<T, never>, value: Uint8Array): T {
  const reader = new Reader(value);
  if (reader.remaining < PREFIX_BYTES) throw new DecodeError(`${codec.name}: no version`, 0);
  const version = reader.int16();
  if (version < codec.minVersion || version > codec.maxVersion) {
    throw new DecodeError(`${codec.name}: version ${version}`, 0);
  }
  return codec.decode(reader, version);
}

export const tombstone = (key: Uint8Array): CoordinatorRecord => ({ key, value: null });
