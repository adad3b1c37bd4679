import {
  badPayload,
  type BlockCodec,
  CompressionType,
  inflatedTooLarge,
  type RecordCodec,
} from "./codec.ts";
import { GrowingBytes } from "./growing-bytes.ts";
import { xxhash32 } from "./xxhash32.ts";

/** 0x184D2204, little-endian. */
const FRAME_MAGIC = 0x184d2204;
/** Bits of the frame descriptor's flag byte. */
const Flag = {
  VERSION_MASK: 0xc0,
  VERSION_1: 0x40,
  BLOCKS_INDEPENDENT: 0x20,
  BLOCK_CHECKSUM: 0x10,
  CONTENT_SIZE: 0x08,
  CONTENT_CHECKSUM: 0x04,
  RESERVED: 0x02,
  DICTIONARY: 0x01,
} as const;
const STORED = 0x8000_0000;
/** Java's default: block maximum code 4. */
const WRITE_BLOCK_BYTES = 64 * 1024;
/** A match's length grows by 255 for each byte that encodes it. */
const EXPANSION_MAX = 255;

const fail = (why: string): never => {
  throw badPayload(CompressionType.LZ4, why);
};

const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)) >>>
  0;

const putWord = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
};

interface FrameHeader {
  readonly blockBytesMax: number;
  readonly blockChecksum: boolean;
  readonly contentChecksum: boolean;
  /** null: the frame does not state it. */
  readonly contentBytes: number | null;
  readonly headerBytes: number;
}

/** The second byte of the descriptor's hash; `end` is where the descriptor ends. */
const headerChecksum = (bytes: Uint8Array, end: number): number =>
  (xxhash32(bytes, 4, end) >>> 8) & 0xff;

/**
 * A copy of a frame with the right header checksum. Producers of magic 0 hashed the frame's magic
 * as well, so their checksum tells nothing (KAFKA-3160).
 */
export function repairLegacyLz4(bytes: Uint8Array): Uint8Array {
  const repaired = bytes.slice();
  const end = ((bytes[4] ?? 0) & Flag.CONTENT_SIZE) === 0 ? 6 : 14;
  if (end < bytes.length) repaired[end] = headerChecksum(bytes, end);
  return repaired;
}

/** Takes what Kafka's own reader takes: version 1, independent blocks, no dictionary. */
function readHeader(bytes: Uint8Array): FrameHeader {
  if (bytes.length < 7) return fail("the frame header is cut off");
  if (word(bytes, 0) !== FRAME_MAGIC) return fail("no frame magic");
  const flags = bytes[4] as number;
  const blockCode = bytes[5] as number;
  if ((flags & Flag.VERSION_MASK) !== Flag.VERSION_1) return fail("unknown frame version");
  if ((flags & Flag.BLOCKS_INDEPENDENT) === 0) return fail("blocks depend on each other");
  if ((flags & Flag.RESERVED) !== 0) return fail("a reserved flag is set");
  if ((flags & Flag.DICTIONARY) !== 0) return fail("a dictionary is needed");
  const sizeCode = blockCode >> 4;
  if ((blockCode & 0x8f) !== 0 || sizeCode < 4) return fail(`unknown block size ${blockCode}`);
  let at = 6;
  let contentBytes: number | null = null;
  if ((flags & Flag.CONTENT_SIZE) !== 0) {
    if (bytes.length < at + 9) return fail("the frame header is cut off");
    contentBytes = word(bytes, at) + word(bytes, at + 4) * 0x1_0000_0000;
    at += 8;
  }
  if (bytes[at] !== headerChecksum(bytes, at)) return fail("wrong header checksum");
  return {
    blockBytesMax: 2 ** (8 + 2 * sizeCode),
    blockChecksum: (flags & Flag.BLOCK_CHECKSUM) !== 0,
    contentChecksum: (flags & Flag.CONTENT_CHECKSUM) !== 0,
    contentBytes,
    headerBytes: at + 1,
  };
}

/** Walks the blocks of a frame up to its end mark; returns the position behind the frame. */
function walkBlocks(
  bytes: Uint8Array,
  header: FrameHeader,
  onBlock: (block: Uint8Array, stored: boolean) => void,
): number {
  let at = header.headerBytes;
  for (;;) {
    if (bytes.length - at < 4) return fail("the frame has no end mark");
    const size = word(bytes, at);
    at += 4;
    if (size === 0) break;
    const length = size % STORED;
    const checksumBytes = header.blockChecksum ? 4 : 0;
    if (length > header.blockBytesMax) return fail(`a block claims ${length} bytes`);
    if (length + checksumBytes > bytes.length - at) return fail("a block is cut off");
    const block = bytes.subarray(at, at + length);
    at += length;
    if (header.blockChecksum && word(bytes, at) !== xxhash32(block)) {
      return fail("wrong block checksum");
    }
    at += checksumBytes;
    onBlock(block, size >= STORED);
  }
  if (header.contentChecksum) {
    if (bytes.length - at < 4) return fail("the content checksum is cut off");
    at += 4;
  }
  return at;
}

/** Judges header and block lengths without inflating. Throws RecordsError. */
export function checkLz4(bytes: Uint8Array): void {
  const end = walkBlocks(bytes, readHeader(bytes), () => {});
  if (end !== bytes.length) fail("bytes follow the frame");
}

function readFrame(bytes: Uint8Array, bytesMax: number, raw: BlockCodec): Uint8Array {
  const header = readHeader(bytes);
  if ((header.contentBytes ?? 0) > bytesMax) throw inflatedTooLarge(CompressionType.LZ4, bytesMax);
  // A stated size is a claim: no more than what these bytes could hold is set aside for it.
  const likely = Math.min(header.contentBytes ?? bytes.length * 4, bytes.length * EXPANSION_MAX);
  const out = new GrowingBytes(Math.min(bytesMax, likely));
  const end = walkBlocks(bytes, header, (block, stored) => {
    const left = bytesMax - out.length;
    const inflated = stored ? block : inflate(raw, block, header.blockBytesMax, left, bytesMax);
    if (inflated.length > left) throw inflatedTooLarge(CompressionType.LZ4, bytesMax);
    out.append(inflated);
  });
  if (end !== bytes.length) fail("bytes follow the frame");
  const content = out.written();
  if (header.contentBytes !== null && header.contentBytes !== content.length) {
    fail(`the frame holds ${content.length} bytes and states ${header.contentBytes}`);
  }
  if (header.contentChecksum && word(bytes, end - 4) !== xxhash32(content)) {
    fail("wrong content checksum");
  }
  return content;
}

function inflate(
  raw: BlockCodec,
  block: Uint8Array,
  blockBytesMax: number,
  left: number,
  bytesMax: number,
): Uint8Array {
  try {
    return raw.decompress(block, Math.min(blockBytesMax, left));
  } catch (error) {
    // A block implementation tells "does not fit" and "damaged" apart in its own words at best,
    // so a block that fails only under the tighter bound is what would have gone beyond it.
    if (left < blockBytesMax && fits(raw, block, blockBytesMax)) {
      throw inflatedTooLarge(CompressionType.LZ4, bytesMax);
    }
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function fits(raw: BlockCodec, block: Uint8Array, bytesMax: number): boolean {
  try {
    raw.decompress(block, bytesMax);
    return true;
  } catch {
    return false;
  }
}

/** A codec for LZ4 frames (v1.6.1 of the format) around a block implementation. */
export function lz4Codec(raw: BlockCodec): RecordCodec {
  return {
    compress(bytes) {
      const header = new Uint8Array(7);
      putWord(header, 0, FRAME_MAGIC);
      header[4] = Flag.VERSION_1 | Flag.BLOCKS_INDEPENDENT;
      header[5] = 4 << 4;
      header[6] = headerChecksum(header, 6);
      const out = new GrowingBytes(Math.ceil(bytes.length / 2) + 64);
      out.append(header);
      const size = new Uint8Array(4);
      for (let at = 0; at < bytes.length; at += WRITE_BLOCK_BYTES) {
        const plain = bytes.subarray(at, at + WRITE_BLOCK_BYTES);
        const packed = raw.compress(plain);
        const stored = packed.length >= plain.length;
        putWord(size, 0, stored ? (plain.length | STORED) >>> 0 : packed.length);
        out.append(size);
        out.append(stored ? plain : packed);
      }
      putWord(size, 0, 0);
      out.append(size);
      return out.written();
    },
    decompress: (bytes, bytesMax) => readFrame(bytes, bytesMax, raw),
  };
}
