/**
 * Snappy blocks with the interface of the `snappy` package, for the binary (see lz4-block.ts).
 * Format: format_description.txt of the Snappy project.
 */
import { copyWithin } from "./lz4-block.ts";

const HASH_BITS = 14;
const MATCH_MIN = 4;
const DISTANCE_MAX = 0xffff;
const COPY_LENGTH_MAX = 64;
/** A declared size above this many times the block is a lie: a copy makes 64 bytes of three. */
const RATIO_MAX = 64;

export function compressSync(block: Uint8Array): Uint8Array {
  const size = block.length;
  const out = new Uint8Array(32 + size + Math.ceil(size / 6));
  const view = new DataView(block.buffer, block.byteOffset, size);
  const table = new Int32Array(1 << HASH_BITS).fill(-1);
  let at = 0;
  let left = size;
  for (; left >= 0x80; left = Math.floor(left / 128)) out[at++] = (left % 128) | 0x80;
  out[at++] = left;
  let anchor = 0;
  let position = 0;
  while (position + MATCH_MIN <= size) {
    const word = view.getUint32(position, true);
    const hash = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
    const candidate = table[hash] as number;
    table[hash] = position;
    const isMatch =
      candidate >= 0 &&
      position - candidate <= DISTANCE_MAX &&
      view.getUint32(candidate, true) === word;
    if (!isMatch) {
      position += 1;
      continue;
    }
    let length = MATCH_MIN;
    const longest = size - position;
    while (length < longest && block[candidate + length] === block[position + length]) length += 1;
    at = putLiteral(out, at, block.subarray(anchor, position));
    at = putCopies(out, at, position - candidate, length);
    position += length;
    anchor = position;
  }
  return out.subarray(0, putLiteral(out, at, block.subarray(anchor)));
}

function putLiteral(out: Uint8Array, from: number, bytes: Uint8Array): number {
  let at = from;
  if (bytes.length === 0) return at;
  const last = bytes.length - 1;
  if (last < 60) out[at++] = last << 2;
  else {
    const width = last < 0x100 ? 1 : last < 0x1_0000 ? 2 : last < 0x100_0000 ? 3 : 4;
    out[at++] = (59 + width) << 2;
    for (let index = 0; index < width; index += 1) out[at++] = (last >>> (8 * index)) & 0xff;
  }
  out.set(bytes, at);
  return at + bytes.length;
}

function putCopies(out: Uint8Array, from: number, distance: number, length: number): number {
  let at = from;
  for (let left = length; left > 0;) {
    const part = Math.min(left, COPY_LENGTH_MAX);
    out[at++] = ((part - 1) << 2) | 2;
    out[at++] = distance & 0xff;
    out[at++] = distance >>> 8;
    left -= part;
  }
  return at;
}

export function uncompressSync(block: Uint8Array): Uint8Array {
  let at = 0;
  let size = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = block[at++];
    if (byte === undefined || shift > 28) throw new Error("snappy: no size");
    size += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (size > block.length * RATIO_MAX) throw new Error("snappy: an impossible size");
  const out = new Uint8Array(size);
  let filled = 0;
  const little = (width: number): number => {
    if (at + width > block.length) throw new Error("snappy: cut off");
    let value = 0;
    for (let index = 0; index < width; index += 1)
      value += (block[at++] as number) * 2 ** (8 * index);
    return value;
  };
  while (at < block.length) {
    const tag = block[at++] as number;
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >>> 2;
      const length = (short < 60 ? short : little(short - 59)) + 1;
      if (at + length > block.length || filled + length > size) throw new Error("snappy: cut off");
      out.set(block.subarray(at, at + length), filled);
      at += length;
      filled += length;
      continue;
    }
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const distance = kind === 1 ? ((tag >>> 5) << 8) + little(1) : little(kind === 2 ? 2 : 4);
    if (distance === 0 || distance > filled)
      throw new Error("snappy: a copy from before the block");
    if (filled + length > size) throw new Error("snappy: longer than its size");
    filled = copyWithin(out, filled, distance, length);
  }
  if (filled !== size) throw new Error("snappy: shorter than its size");
  return out;
}
