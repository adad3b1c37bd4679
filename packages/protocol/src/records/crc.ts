/** Eight tables of 256 words for a reflected 32-bit CRC: table k is a byte followed by k zeros. */
function sliceTables(polynomial: number): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0);
    tables[byte] = crc;
  }
  for (let index = 256; index < tables.length; index += 1) {
    const previous = tables[index - 256] as number;
    tables[index] = (previous >>> 8) ^ (tables[previous & 0xff] as number);
  }
  return tables;
}

const castagnoli = sliceTables(0x82f63b78 | 0);
const ieee = sliceTables(0xedb88320 | 0);

/** Eight bytes a step ("slicing-by-8", Kounavis and Berry 2005). */
function update(t: Int32Array, bytes: Uint8Array, start: number, end: number, seed: number) {
  let crc = ~seed;
  let at = start;
  const wholeEnd = start + ((end - start) & ~7);
  for (; at < wholeEnd; at += 8) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (t[1792 + (low & 0xff)] as number) ^
      (t[1536 + ((low >>> 8) & 0xff)] as number) ^
      (t[1280 + ((low >>> 16) & 0xff)] as number) ^
      (t[1024 + (low >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number);
  }
  for (; at < end; at += 1) {
    crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}

/**
 * CRC-32C (Castagnoli) of `bytes[start, end)`, as in a v2 batch. Unsigned.
 * @param seed the CRC of what came before, to go on with it.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  return update(castagnoli, bytes, start, end, seed);
}

/** CRC-32 (IEEE 802.3) of `bytes[start, end)`, as in the old message sets. Unsigned. */
export function crc32(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  return update(ieee, bytes, start, end, seed);
}
