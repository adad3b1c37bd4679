import { xxhash32 } from "@mantou/protocol";

/**
 * Compressed payloads in every form that a client may send: all of stored or literal bytes, made
 * by hand from the formats' own descriptions, so that no library's habits are in them.
 */

const concat = (...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array =>
  Buffer.concat(parts.map((part) => Buffer.from(part)));

function uint32(value: number, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, littleEndian);
  return bytes;
}

/** A snappy block of literals: its length as a varint, then runs of at most 60 bytes. */
export function snappyBlock(plain: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = plain.length; ; rest >>>= 7) {
    length.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) break;
  }
  const parts: (Uint8Array | number[])[] = [length];
  for (let at = 0; at < plain.length; at += 60) {
    const run = plain.subarray(at, at + 60);
    parts.push([(run.length - 1) << 2], run);
  }
  return concat(...parts);
}

/** The framing in which Java writes snappy: a header, then blocks with their lengths. */
export function xerialSnappy(plain: Uint8Array, blockBytes: number): Uint8Array {
  const magic = [0x82, ...Buffer.from("SNAPPY"), 0];
  const parts: (Uint8Array | number[])[] = [magic, uint32(1, false), uint32(1, false)];
  for (let at = 0; at < plain.length; at += blockBytes) {
    const block = snappyBlock(plain.subarray(at, at + blockBytes));
    parts.push(uint32(block.length, false), block);
  }
  return concat(...parts);
}

export interface Lz4Options {
  readonly contentSize?: boolean;
  readonly blockChecksum?: boolean;
  readonly contentChecksum?: boolean;
  /** Blocks refer to the ones before: legal in the format, unreadable for Kafka's readers. */
  readonly dependentBlocks?: boolean;
}

/** An lz4 frame of one stored block, with the optional parts that are asked for. */
export function lz4Frame(plain: Uint8Array, options: Lz4Options = {}): Uint8Array {
  const { contentSize, blockChecksum, contentChecksum, dependentBlocks } = options;
  const flags =
    0x40 |
    (dependentBlocks ? 0 : 0x20) |
    (blockChecksum ? 0x10 : 0) |
    (contentSize ? 0x08 : 0) |
    (contentChecksum ? 0x04 : 0);
  const size = contentSize ? concat(uint32(plain.length, true), uint32(0, true)) : [];
  const descriptor = concat([flags, 0x40], size);
  const headerChecksum = (xxhash32(descriptor) >>> 8) & 0xff;
  return concat(
    uint32(0x184d2204, true),
    descriptor,
    [headerChecksum],
    uint32((plain.length | 0x80000000) >>> 0, true),
    plain,
    blockChecksum ? uint32(xxhash32(plain), true) : [],
    uint32(0, true),
    contentChecksum ? uint32(xxhash32(plain), true) : [],
  );
}

/** A zstd frame of one raw block that does not say how large its content is. */
export function zstdWithoutSize(plain: Uint8Array): Uint8Array {
  const header = (plain.length << 3) | 1;
  const block = [header & 0xff, (header >>> 8) & 0xff, header >>> 16];
  // Descriptor 0: no content size, no checksum; then the window's descriptor, 1 KiB << 10.
  return concat([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50], block, plain);
}
