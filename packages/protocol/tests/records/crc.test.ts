import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { crc32, crc32c, xxhash32 } from "../../src/records/index.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The definition, bit by bit. */
function slowCrc(polynomial: number, bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0);
  }
  return ~crc >>> 0;
}

test("the check values of the catalogue of CRC algorithms", () => {
  expect(crc32c(ascii("123456789"))).toBe(0xe3069283);
  expect(crc32(ascii("123456789"))).toBe(0xcbf43926);
  expect(crc32c(new Uint8Array(0))).toBe(0);
});

test("the vectors of RFC 3720 B.4", () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e);
});

test("equals the definition for every length and alignment, whole or in two parts", () => {
  const prng = new Prng(7);
  const bytes = Uint8Array.from({ length: 80 }, () => prng.below(256));
  for (let start = 0; start < 9; start += 1) {
    for (let end = start; end <= bytes.length; end += 1) {
      const part = bytes.subarray(start, end);
      expect(crc32c(bytes, start, end)).toBe(slowCrc(0x82f63b78, part));
      expect(crc32(bytes, start, end)).toBe(slowCrc(0xedb88320, part));
      const middle = start + ((end - start) >> 1);
      expect(crc32c(bytes, middle, end, crc32c(bytes, start, middle))).toBe(
        crc32c(bytes, start, end),
      );
    }
  }
});

test("xxHash32 equals the runtime's own", () => {
  const prng = new Prng(11);
  for (let length = 0; length < 100; length += 1) {
    const bytes = Uint8Array.from({ length }, () => prng.below(256));
    expect(xxhash32(bytes)).toBe(Bun.hash.xxHash32(bytes, 0));
  }
});
