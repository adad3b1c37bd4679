/**
 * LZ4 blocks with the interface of `lz4-napi`, for the binary: a native package would have to be
 * unpacked into a temporary folder before it can be loaded, and there may be none that is
 * executable. Format: lz4_Block_format.md of the LZ4 project.
 */

const SIZE_BYTES = 4;
const MATCH_MIN = 4;
/** A block's last bytes are literals, and no match begins in the last twelve. */
const LAST_LITERALS = 5;
const MATCH_LIMIT = 12;
const HASH_BITS = 14;
const DISTANCE_MAX = 0xffff;

/** Compresses a block; the first four bytes of the result are its size, little-endian. */
export function compressSync(block: Uint8Array): Uint8Array {
  const size = block.length;
  const out = new Uint8Array(SIZE_BYTES + size + Math.ceil(size / 255) + 16);
  const view = new DataView(block.buffer, block.byteOffset, size);
  new DataView(out.buffer).setUint32(0, size, true);
  const table = new Int32Array(1 << HASH_BITS).fill(-1);
  let at = SIZE_BYTES;
  let anchor = 0;
  let position = 0;
  while (position + MATCH_LIMIT <= size) {
    const word = view.getUint32(position, true);
    const hash = Math.imul(word, 2654435761) >>> (32 - HASH_BITS);
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
    const longest = size - LAST_LITERALS - position;
    while (length < longest && block[candidate + length] === block[position + length]) length += 1;
    at = putSequence(out, at, block.subarray(anchor, position), position - candidate, length);
    position += length;
    anchor = position;
  }
  at = putSequence(out, at, block.subarray(anchor), 0, 0);
  return out.subarray(0, at);
}

/** Literals and then a match; a distance of 0 means that there is none. */
function putSequence(
  out: Uint8Array,
  from: number,
  literals: Uint8Array,
  distance: number,
  length: number,
): number {
  const tokenAt = from;
  const extra = distance === 0 ? 0 : length - MATCH_MIN;
  let at = from + 1;
  at = putLength(out, at, literals.length);
  out[tokenAt] = (Math.min(15, literals.length) << 4) | Math.min(15, extra);
  out.set(literals, at);
  at += literals.length;
  if (distance === 0) return at;
  out[at] = distance & 0xff;
  out[at + 1] = distance >>> 8;
  return putLength(out, at + 2, extra);
}

function putLength(out: Uint8Array, from: number, length: number): number {
  let at = from;
  if (length < 15) return at;
  let left = length - 15;
  for (; left >= 255; left -= 255) out[at++] = 255;
  out[at++] = left;
  return at;
}

/** Inflates a block behind its four bytes of size, which is the most that it may become. */
export function uncompressSync(sized: Uint8Array): Uint8Array {
  const bytesMax = new DataView(sized.buffer, sized.byteOffset).getUint32(0, true);
  let out = new Uint8Array(Math.min(bytesMax, Math.max(64, sized.length * 4)));
  let filled = 0;
  let at = SIZE_BYTES;
  const reserve = (count: number): void => {
    if (filled + count > bytesMax) throw new Error("lz4: inflates beyond its bound");
    if (filled + count <= out.length) return;
    const larger = new Uint8Array(Math.min(bytesMax, Math.max(out.length * 2, filled + count)));
    larger.set(out.subarray(0, filled));
    out = larger;
  };
  const readLength = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (;;) {
      const byte = sized[at++];
      if (byte === undefined) throw new Error("lz4: a length is cut off");
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (at < sized.length) {
    const token = sized[at++] as number;
    const literals = readLength(token >>> 4);
    if (at + literals > sized.length) throw new Error("lz4: literals are cut off");
    reserve(literals);
    out.set(sized.subarray(at, at + literals), filled);
    filled += literals;
    at += literals;
    if (at === sized.length) break;
    if (at + 2 > sized.length) throw new Error("lz4: a match is cut off");
    const distance = (sized[at] as number) | ((sized[at + 1] as number) << 8);
    at += 2;
    const length = readLength(token & 15) + MATCH_MIN;
    if (distance === 0 || distance > filled)
      throw new Error("lz4: a match begins before the block");
    reserve(length);
    filled = copyWithin(out, filled, distance, length);
  }
  return out.subarray(0, filled);
}

/** Copies what lies `distance` back; source and target may overlap, which repeats a pattern. */
export function copyWithin(
  out: Uint8Array,
  from: number,
  distance: number,
  length: number,
): number {
  if (distance >= length) out.copyWithin(from, from - distance, from - distance + length);
  else for (let i = 0; i < length; i += 1) out[from + i] = out[from + i - distance] as number;
  return from + length;
}
