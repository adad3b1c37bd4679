import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import {
  badPayload,
  checkPayload,
  checkZstd,
  type Codecs,
  CompressionType,
  inflatedTooLarge,
  lz4Codec,
  type RecordCodec,
  snappyCodec,
} from "@mantou/protocol";
import * as lz4 from "lz4-napi";
import * as snappy from "snappy";

/** Runs a zlib call; its two ways to fail get our names. */
function inflate(type: number, bytesMax: number, call: () => Uint8Array): Uint8Array {
  try {
    // A Buffer has methods of its own where callers expect those of a Uint8Array (slice, say).
    const plain = call();
    return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "ERR_BUFFER_TOO_LARGE") throw inflatedTooLarge(type, bytesMax);
    throw badPayload(type, error instanceof Error ? error.message : String(error));
  }
}

const gzip: RecordCodec = {
  compress: (bytes) => gzipSync(bytes),
  decompress(bytes, bytesMax) {
    checkPayload(CompressionType.GZIP, bytes);
    const options = { maxOutputLength: Math.max(1, bytesMax) };
    const plain = inflate(CompressionType.GZIP, bytesMax, () => gunzipSync(bytes, options));
    if (plain.length > bytesMax) throw inflatedTooLarge(CompressionType.GZIP, bytesMax);
    return plain;
  },
};

const zstd: RecordCodec = {
  compress: (bytes) => zstdCompressSync(bytes),
  decompress(bytes, bytesMax) {
    // The walk finds streams that break off, which zlib would take for finished ones.
    const { statedBytes } = checkZstd(bytes);
    if ((statedBytes ?? 0) > bytesMax) throw inflatedTooLarge(CompressionType.ZSTD, bytesMax);
    const options = { maxOutputLength: Math.max(1, bytesMax) };
    const plain = inflate(CompressionType.ZSTD, bytesMax, () => zstdDecompressSync(bytes, options));
    if (plain.length > bytesMax) throw inflatedTooLarge(CompressionType.ZSTD, bytesMax);
    return plain;
  },
};

/** Bytes of the inflated size that lz4-napi puts before a block, little-endian. */
const LZ4_SIZE_BYTES = 4;

const lz4Blocks = {
  compress: (block: Uint8Array): Uint8Array =>
    lz4.compressSync(asBuffer(block)).subarray(LZ4_SIZE_BYTES),
  decompress(block: Uint8Array, bytesMax: number): Uint8Array {
    const sized = new Uint8Array(LZ4_SIZE_BYTES + block.length);
    new DataView(sized.buffer).setUint32(0, bytesMax, true);
    sized.set(block, LZ4_SIZE_BYTES);
    return lz4.uncompressSync(sized);
  },
};

const snappyBlocks = {
  compress: (block: Uint8Array): Uint8Array => snappy.compressSync(block),
  decompress: (block: Uint8Array): Uint8Array => snappy.uncompressSync(block) as Uint8Array,
};

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** gzip and zstd from the runtime's zlib, lz4 and snappy from native packages. */
export const codecs: Required<Codecs> = {
  gzip,
  snappy: snappyCodec(snappyBlocks),
  lz4: lz4Codec(lz4Blocks),
  zstd,
};
