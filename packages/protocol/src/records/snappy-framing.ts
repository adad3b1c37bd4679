import {
  badPayload,
  type BlockCodec,
  CompressionType,
  inflatedTooLarge,
  type RecordCodec,
} from "./codec.ts";
import { GrowingBytes } from "./growing-bytes.ts";

/** 0x82 "SNAPPY" 0x00, version 1, readable since version 1: the stream header of snappy-java. */
const XERIAL_HEADER = Uint8Array.fromHex("82534e41505059000000000100000001");
/** What snappy-java reads in place of a chunk length where another stream begins. */
const XERIAL_MAGIC_WORD = 0x82534e41 | 0;
const XERIAL_MAGIC_BYTES = 8;
const BLOCK_BYTES = 32 * 1024;
/** A copy of 64 bytes takes 3, so no block inflates to more than 22 times its size. */
const EXPANSION_MAX = 22;

const fail = (why: string): never => {
  throw badPayload(CompressionType.SNAPPY, why);
};

function isXerial(bytes: Uint8Array): boolean {
  if (bytes.length < XERIAL_MAGIC_BYTES) return false;
  for (let at = 0; at < XERIAL_MAGIC_BYTES; at += 1) {
    if (bytes[at] !== XERIAL_HEADER[at]) return false;
  }
  return true;
}

const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 24) |
  ((bytes[at + 1] as number) << 16) |
  ((bytes[at + 2] as number) << 8) |
  (bytes[at + 3] as number);

/** The inflated size that a raw block states, checked against what its bytes could hold. */
function statedSize(block: Uint8Array): number {
  let size = 0;
  let scale = 1;
  for (let at = 0; at < 5; at += 1) {
    const byte = block[at];
    if (byte === undefined) return fail("a block ends within its length");
    size += (byte & 0x7f) * scale;
    if (byte < 128) {
      if (size > block.length * EXPANSION_MAX) return fail(`a block cannot hold ${size} bytes`);
      return size;
    }
    scale *= 128;
  }
  return fail("a block's length is too long");
}

/**
 * The raw blocks of a payload in either framing: the chunks of xerial streams (snappy-java, and
 * clients that follow it), or the payload itself (librdkafka, franz-go). Throws RecordsError.
 */
function snappyBlocks(bytes: Uint8Array): Uint8Array[] {
  if (!isXerial(bytes)) return [bytes];
  const blocks: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 4) fail("a chunk length is cut off");
    const length = word(bytes, at);
    if (length === XERIAL_MAGIC_WORD) {
      if (bytes.length - at < XERIAL_HEADER.length || !isXerial(bytes.subarray(at))) {
        fail("a stream header is cut off");
      }
      if (word(bytes, at + 12) > 1) fail(`stream version ${word(bytes, at + 12)} is needed`);
      at += XERIAL_HEADER.length;
      continue;
    }
    at += 4;
    if (length <= 0 || length > bytes.length - at) fail(`a chunk claims ${length} bytes`);
    blocks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return blocks;
}

/** Judges the framing and the stated sizes without inflating. Throws RecordsError. */
export function checkSnappy(bytes: Uint8Array): void {
  for (const block of snappyBlocks(bytes)) statedSize(block);
}

/** A codec that reads both framings and writes xerial streams, as Java clients do. */
export function snappyCodec(raw: BlockCodec): RecordCodec {
  return {
    compress(bytes) {
      const out = new GrowingBytes(Math.ceil(bytes.length / 2) + 64);
      out.append(XERIAL_HEADER);
      for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
        const block = raw.compress(bytes.subarray(at, at + BLOCK_BYTES));
        const length = block.length;
        out.append(Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length));
        out.append(block);
      }
      return out.written();
    },
    decompress(bytes, bytesMax) {
      const blocks = snappyBlocks(bytes);
      let size = 0;
      for (const block of blocks) size += statedSize(block);
      if (size > bytesMax) throw inflatedTooLarge(CompressionType.SNAPPY, bytesMax);
      const out = new Uint8Array(size);
      let at = 0;
      for (const block of blocks) {
        const stated = statedSize(block);
        const inflated = attempt(() => raw.decompress(block, stated));
        if (inflated.length !== stated) fail("a block is not as long as it states");
        out.set(inflated, at);
        at += stated;
      }
      return out;
    },
  };
}

function attempt(inflate: () => Uint8Array): Uint8Array {
  try {
    return inflate();
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}
