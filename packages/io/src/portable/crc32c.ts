/** CRC-32C (Castagnoli), eight tables, eight bytes a step. */
const TABLES = makeTables();

function makeTables(): Uint32Array[] {
  const tables: Uint32Array[] = [];
  for (let k = 0; k < 8; k++) tables.push(new Uint32Array(256));
  const base = tables[0] as Uint32Array;
  for (let n = 0; n < 256; n++) {
    let value = n;
    for (let bit = 0; bit < 8; bit++) {
      value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    }
    base[n] = value >>> 0;
  }
  for (let k = 1; k < 8; k++) {
    const previous = tables[k - 1] as Uint32Array;
    const table = tables[k] as Uint32Array;
    for (let n = 0; n < 256; n++) {
      const value = previous[n] as number;
      table[n] = ((base[value & 0xff] as number) ^ (value >>> 8)) >>> 0;
    }
  }
  return tables;
}

/** The checksum of `length` bytes at `offset`, unsigned. */
export function crc32c(bytes: Uint8Array, offset: number, length: number): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  let crc = 0xffff_ffff;
  let at = offset;
  const end = offset + length;
  for (; at + 8 <= end; at += 8) {
    crc =
      t7[(crc ^ (bytes[at] as number)) & 0xff]! ^
      t6[((crc >>> 8) ^ (bytes[at + 1] as number)) & 0xff]! ^
      t5[((crc >>> 16) ^ (bytes[at + 2] as number)) & 0xff]! ^
      t4[(crc >>> 24) ^ (bytes[at + 3] as number)]! ^
      t3[bytes[at + 4] as number]! ^
      t2[bytes[at + 5] as number]! ^
      t1[bytes[at + 6] as number]! ^
      t0[bytes[at + 7] as number]!;
  }
  for (; at < end; at++) crc = t0[(crc ^ (bytes[at] as number)) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffff_ffff) >>> 0;
}
