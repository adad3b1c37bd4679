import { badPayload, CompressionType } from "./codec.ts";

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const BlockType = { RAW: 0, RLE: 1, COMPRESSED: 2, RESERVED: 3 } as const;
const BLOCK_BYTES_MAX = 128 * 1024;
/** What a decoder accepts unless told otherwise: 2^27 (RFC 8878 section 3.1.1.1.2, libzstd). */
const WINDOW_BYTES_MAX = 2 ** 27;

const fail = (why: string): never => {
  throw badPayload(CompressionType.ZSTD, why);
};

const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)) >>>
  0;

interface ZstdSize {
  /** What the frames state, in bytes; null where one does not. */
  readonly statedBytes: number | null;
  /** More cannot come out of these blocks. */
  readonly bytesMax: number;
}

interface FrameHeader {
  readonly bodyAt: number;
  readonly contentBytes: number | null;
  readonly checksum: boolean;
}

function readHeader(bytes: Uint8Array, start: number): FrameHeader {
  let at = start + 4;
  const descriptor = bytes[at];
  if (descriptor === undefined) return fail("the frame header is cut off");
  at += 1;
  if ((descriptor & 0x08) !== 0) return fail("a reserved flag is set");
  const single = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  if (bytes.length - at < (single ? 0 : 1) + dictionaryBytes + sizeBytes) {
    return fail("the frame header is cut off");
  }
  let windowBytes = 0;
  if (!single) {
    const window = bytes[at] as number;
    const base = 2 ** (10 + (window >> 3));
    windowBytes = base + (base / 8) * (window & 7);
    at += 1;
  }
  for (const end = at + dictionaryBytes; at < end; at += 1) {
    if (bytes[at] !== 0) return fail("a dictionary is needed");
  }
  let contentBytes: number | null = null;
  if (sizeBytes === 1) contentBytes = bytes[at] as number;
  if (sizeBytes === 2) contentBytes = (word(bytes, at) & 0xffff) + 256;
  if (sizeBytes === 4) contentBytes = word(bytes, at);
  if (sizeBytes === 8) contentBytes = word(bytes, at) + word(bytes, at + 4) * 0x1_0000_0000;
  at += sizeBytes;
  if (single) windowBytes = contentBytes ?? 0;
  if (windowBytes > WINDOW_BYTES_MAX) return fail(`a window of ${windowBytes} bytes`);
  return { bodyAt: at, contentBytes, checksum: (descriptor & 0x04) !== 0 };
}

/**
 * Walks frames and block headers (RFC 8878) without inflating, since decoders take a stream that
 * breaks off between blocks for a finished one. Throws RecordsError where the bytes are cut off,
 * or are not frames from first to last.
 */
export function checkZstd(bytes: Uint8Array): ZstdSize {
  let at = 0;
  let statedBytes: number | null = 0;
  let bytesMax = 0;
  let frames = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 4) return fail("a frame magic is cut off");
    const magic = word(bytes, at);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      if (bytes.length - at < 8) return fail("a skippable frame is cut off");
      const length = word(bytes, at + 4);
      if (length > bytes.length - at - 8) return fail("a skippable frame is cut off");
      at += 8 + length;
      continue;
    }
    if (magic !== FRAME_MAGIC) return fail("no frame magic");
    const header = readHeader(bytes, at);
    frames += 1;
    if (header.contentBytes === null) statedBytes = null;
    else if (statedBytes !== null) statedBytes += header.contentBytes;
    at = header.bodyAt;
    for (let last = false; !last;) {
      if (bytes.length - at < 3) return fail("a block header is cut off");
      const block =
        (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16);
      last = (block & 1) === 1;
      const type = (block >> 1) & 3;
      const size = block >> 3;
      if (type === BlockType.RESERVED) return fail("a block of reserved type");
      if (size > BLOCK_BYTES_MAX) return fail(`a block claims ${size} bytes`);
      const length = type === BlockType.RLE ? 1 : size;
      at += 3;
      if (length > bytes.length - at) return fail("a block is cut off");
      at += length;
      bytesMax += type === BlockType.COMPRESSED ? BLOCK_BYTES_MAX : size;
    }
    if (header.checksum) {
      if (bytes.length - at < 4) return fail("the checksum is cut off");
      at += 4;
    }
  }
  if (frames === 0) return fail("no frame");
  return { statedBytes, bytesMax };
}
