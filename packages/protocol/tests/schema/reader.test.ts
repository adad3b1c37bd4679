import { describe, expect, test } from "bun:test";
import { AssertionError, Prng } from "@mantou/base";
import { DecodeError, Reader, Writer } from "../../src/index.ts";
import { saturate } from "../../src/schema/number-reader.ts";
import { seed } from "../messages.ts";

const reader = (hex: string): Reader => new Reader(Uint8Array.fromHex(hex.replaceAll(" ", "")));
const MAX = Number.MAX_SAFE_INTEGER;

describe("int64", () => {
  const exact: [string, number][] = [
    ["0000000000000000", 0],
    ["ffffffffffffffff", -1],
    ["00000001 00000000", 2 ** 32],
    ["fffffffe ffffffff", -(2 ** 32) - 1],
    ["001fffff ffffffff", MAX],
    ["ffe00000 00000001", -MAX],
    ["ffe00000 00000002", -MAX + 1],
    ["001fffff fffffffe", MAX - 1],
    ["00200000 00000000", MAX],
    ["ffe00000 00000000", -MAX],
    ["ffdfffff ffffffff", -MAX],
    ["7fffffff ffffffff", MAX],
    ["80000000 00000000", -MAX],
  ];

  test("is exact below 2^53 and saturates above", () => {
    for (const [hex, value] of exact) expect([hex, reader(hex).int64()]).toEqual([hex, value]);
  });

  test(`agrees with BigInt, MANTOU_SEED=${seed}`, () => {
    const prng = new Prng(seed);
    for (let i = 0; i < 20_000; i++) {
      const high = prng.u32() >> prng.below(32);
      const low = prng.u32();
      const wide = (BigInt(high) << 32n) | BigInt(low);
      const clamped = wide > MAX ? BigInt(MAX) : wide < -MAX ? BigInt(-MAX) : wide;
      expect([high, low, saturate(high, low)]).toEqual([high, low, Number(clamped)]);
    }
  });
});

describe("uvarint", () => {
  test("takes one to five bytes and all of 32 bits", () => {
    const values: [string, number][] = [
      ["00", 0],
      ["7f", 127],
      ["8001", 128],
      ["ff7f", 16_383],
      ["808001", 16_384],
      ["80808001", 2 ** 21],
      ["8080808001", 2 ** 28],
      ["ffffffff07", 2 ** 31 - 1],
      ["8080808008", 2 ** 31],
      ["ffffffff0f", 2 ** 32 - 1],
    ];
    for (const [hex, value] of values) {
      const source = reader(hex);
      expect([hex, source.uvarint(), source.remaining]).toEqual([hex, value, 0]);
      const writer = new Writer(1);
      writer.uvarint(value);
      expect(writer.toBytes().toHex()).toBe(hex);
    }
  });

  test("may be padded within five bytes: Apache's readers take that", () => {
    expect(reader("8100").uvarint()).toBe(1);
    expect(reader("8180808000").uvarint()).toBe(1);
  });

  test("is refused when longer than five bytes, wider than 32 bits, or cut off", () => {
    for (const hex of [
      "808080808001",
      "ffffffff10",
      "ffffffff7f",
      "ffffffffff",
      "80",
      "ffffff",
      "",
    ]) {
      expect(() => reader(hex).uvarint()).toThrow(DecodeError);
    }
  });
});

describe("strings", () => {
  test("that are short and ASCII are the same object the second time", () => {
    const text = reader("0006 6f7264657273").string();
    expect(text).toBe("orders");
    expect(reader("ff 0006 6f7264657273 ff".slice(3)).string()).toBe(text);
  });

  test("remember nothing wrong when many share the cache", () => {
    const prng = new Prng(seed);
    const writer = new Writer(64);
    for (let i = 0; i < 30_000; i++) {
      const text = `t${prng.below(20_000).toString(36)}-${"x".repeat(prng.below(4))}`;
      writer.reset().string(text);
      expect(new Reader(writer.toBytes()).string()).toBe(text);
    }
  });

  test("keep a byte order mark, and replace what is not UTF-8", () => {
    expect(reader("0004 efbbbf61").string()).toBe("\ufeffa");
    expect(reader("0003 61ff62").string()).toBe("a\ufffdb");
  });

  test("are at most 32767 bytes long in compact form too", () => {
    const wire = new Uint8Array(33_000);
    wire.set([0x81, 0x80, 0x02]); // 32768 + 1
    expect(() => new Reader(wire).compactString()).toThrow("string of 32768 bytes");
    wire.set([0x80, 0x80, 0x02]);
    expect(new Reader(wire).compactString().length).toBe(32_767);
  });

  test("cannot have a negative length but -1", () => {
    expect(reader("ffff").nullableString()).toBeNull();
    expect(() => reader("fffe").nullableString()).toThrow("length -2");
    expect(() => reader("ffff").string()).toThrow("null where a value must be");
    expect(() => reader("fffffffe").nullableBytesField()).toThrow("length -2");
    expect(() => reader("fffffffe").nullableCount(1, 1)).toThrow("count -2");
  });
});

describe("bounds", () => {
  test("a read never goes behind the end of the message, though the buffer goes on", () => {
    const source = reader("0000000000000000").reset(2, 3);
    expect(source.int16()).toBe(0);
    expect(source.remaining).toBe(1);
    expect(() => source.int16()).toThrow("needs 2 bytes where 1 remain");
  });

  test("a count of tagged fields is held against what remains", () => {
    expect(() => reader("03 00 00 00 00").skipTags()).toThrow(
      "3 tagged fields where 4 bytes remain",
    );
    expect(() => reader("ffffffff0f 0000").tagCount()).toThrow(DecodeError);
    expect(reader("02 00 00 00 00").tagCount()).toBe(2);
  });

  test("text that could not be written again is refused", () => {
    // Each bad byte reads as U+FFFD, which has three bytes.
    const text = (length: number, bad: number): Uint8Array => {
      const bytes = new Uint8Array(2 + length).fill(0x61);
      new DataView(bytes.buffer).setInt16(0, length);
      return bytes.fill(0xff, 2, 2 + bad);
    };
    expect(new Reader(text(0x7fff, 0)).string().length).toBe(0x7fff);
    expect(new Reader(text(0x7ff0, 7)).string().length).toBe(0x7ff0);
    expect(() => new Reader(text(0x7ff0, 8)).string()).toThrow(DecodeError);
    expect(() => new Reader(text(11_000, 11_000)).nullableString()).toThrow("bad UTF-8");
    expect(new Reader(text(100, 100)).string()).toBe("\ufffd".repeat(100));
  });

  test("copies are copies", () => {
    const buffer = Uint8Array.fromHex("00000002aabb");
    const copy = new Reader(buffer).bytesField();
    buffer.fill(0);
    expect(copy.toHex()).toBe("aabb");
  });

  test("a range outside of the buffer is our own mistake", () => {
    for (const [offset, length] of [
      [-1, 1],
      [0, 9],
      [8, 1],
      [0, -1],
    ] as const) {
      expect(() => reader("0000000000000000").reset(offset, length)).toThrow(AssertionError);
    }
  });
});
