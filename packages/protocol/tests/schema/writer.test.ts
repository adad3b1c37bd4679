import { describe, expect, test } from "bun:test";
import { AssertionError } from "@mantou/base";
import { EncodeError, Reader, Writer } from "../../src/index.ts";

const hexOf = (write: (writer: Writer) => void): string => {
  const writer = new Writer(1);
  write(writer);
  return writer.toBytes().toHex();
};

describe("numbers", () => {
  test("are big-endian", () => {
    expect(hexOf((w) => w.int16(-2))).toBe("fffe");
    expect(hexOf((w) => w.uint16(65_535))).toBe("ffff");
    expect(hexOf((w) => w.int32(0x0102_0304))).toBe("01020304");
    expect(hexOf((w) => w.uint32(0xffff_fffe))).toBe("fffffffe");
    expect(hexOf((w) => w.int64(-1))).toBe("ffffffffffffffff");
    expect(hexOf((w) => w.int64(-(2 ** 32) - 1))).toBe("fffffffeffffffff");
    expect(hexOf((w) => w.int64(2 ** 53 - 1))).toBe("001fffffffffffff");
    expect(hexOf((w) => w.float64(-1.5))).toBe("bff8000000000000");
    expect(hexOf((w) => w.bool(true))).toBe("01");
  });

  test("that a type cannot hold are refused", () => {
    const bad: ((writer: Writer) => void)[] = [
      (w) => w.int8(128),
      (w) => w.int8(-129),
      (w) => w.int16(32_768),
      (w) => w.uint16(-1),
      (w) => w.uint16(65_536),
      (w) => w.int32(2 ** 31),
      (w) => w.int32(Number.NaN),
      (w) => w.uint32(-1),
      (w) => w.uint32(2 ** 32),
      (w) => w.int64(2 ** 53),
      (w) => w.int64(0.5),
      (w) => w.float64("1" as never),
      (w) => w.bool(1 as never),
      (w) => w.uuid("short"),
      (w) => w.uuid("AAECAwQFBgcICQoLDA0OD!"),
      (w) => w.string(undefined as never),
      (w) => w.bytesField("text" as never),
    ];
    for (const write of bad) expect(() => hexOf(write)).toThrow(EncodeError);
  });
});

describe("text", () => {
  test("of every length and alphabet comes back", () => {
    const texts = [
      "",
      "a",
      "ü",
      "漢字",
      "😀",
      "a".repeat(64),
      "a".repeat(65),
      `${"a".repeat(63)}ü`,
    ];
    texts.push(
      "b".repeat(126),
      "b".repeat(127),
      "ü".repeat(63),
      "ü".repeat(64),
      "c".repeat(32_767),
    );
    for (const text of texts) {
      for (const method of ["string", "compactString"] as const) {
        const writer = new Writer(1);
        writer[method](text);
        const reader = new Reader(writer.toBytes());
        expect(reader[method]()).toBe(text);
        expect(reader.remaining).toBe(0);
      }
    }
  });

  test("of more than 32767 bytes is refused", () => {
    expect(() => hexOf((w) => w.string("x".repeat(32_768)))).toThrow("string of 32768 bytes");
    expect(() => hexOf((w) => w.compactString("ü".repeat(16_384)))).toThrow(EncodeError);
  });
});

describe("memory", () => {
  test("grows as needed and is kept over a reset", () => {
    const writer = new Writer(1);
    for (let i = 0; i < 1000; i++) writer.int32(i);
    const memory = writer.bytes;
    expect(new DataView(memory.buffer).getInt32(999 * 4)).toBe(999);
    writer.reset().int32(5);
    expect(writer.bytes).toBe(memory);
    expect(writer.toBytes().toHex()).toBe("00000005");
  });

  test("stays below its bound, file ranges included", () => {
    const writer = new Writer(4, 10);
    writer.int64(1);
    expect(() => writer.int32(1)).toThrow("output over 10 bytes");
    expect(() => writer.file({ pin: 1, position: 0, length: 3 })).toThrow("output over 10 bytes");
    writer.file({ pin: 1, position: 0, length: 2 });
    expect(writer.totalBytes).toBe(10);
  });

  test("output with file ranges is not a byte string", () => {
    const writer = new Writer(8);
    writer.file({ pin: 1, position: 0, length: 2 });
    expect(() => writer.toBytes()).toThrow(AssertionError);
    expect(writer.reset().files).toEqual([]);
    expect(writer.totalBytes).toBe(0);
  });
});
