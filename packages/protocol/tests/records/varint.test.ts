import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { ByteCursor, putVarint, RecordsError, varintSize } from "../../src/records/index.ts";

const MAX = Number.MAX_SAFE_INTEGER;

/** Zigzag and LEB128 with big integers: the definition. */
function slowVarint(value: bigint): Uint8Array<ArrayBuffer> {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const out: number[] = [];
  for (;;) {
    const bits = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest === 0n ? bits : bits | 0x80);
    if (rest === 0n) return Uint8Array.from(out);
  }
}

const cursorOf = (bytes: Uint8Array): ByteCursor => new ByteCursor().at(bytes, 0, bytes.length);

function interesting(): number[] {
  const values = [0, MAX, -MAX];
  for (let bit = 0; bit < 53; bit += 1) {
    for (const near of [-1, 0, 1]) values.push(2 ** bit + near, -(2 ** bit) + near);
  }
  const prng = new Prng(3);
  for (let count = 0; count < 2000; count += 1) {
    const high = prng.below(2 ** prng.between(1, 21)) * 2 ** 32;
    const value = Math.min(MAX, high + prng.u32());
    values.push(prng.chance(1, 2) ? value : -value);
  }
  return values.filter((value) => Math.abs(value) <= MAX);
}

test("writes and reads what the definition writes", () => {
  for (const value of interesting()) {
    const expected = slowVarint(BigInt(value));
    const bytes = new Uint8Array(12);
    const end = putVarint(bytes, 1, value);
    expect(bytes.subarray(1, end)).toEqual(expected);
    expect(varintSize(value)).toBe(expected.length);
    const cursor = cursorOf(expected);
    expect(cursor.varlong()).toBe(value === 0 ? 0 : value);
    expect(cursor.remaining).toBe(0);
    if (value === (value | 0)) expect(cursorOf(expected).varint()).toBe(value | 0);
  }
});

test("varlongs beyond 2^53 are saturated", () => {
  expect(cursorOf(slowVarint(2n ** 63n - 1n)).varlong()).toBe(MAX);
  expect(cursorOf(slowVarint(-(2n ** 63n))).varlong()).toBe(-MAX);
  expect(cursorOf(slowVarint(2n ** 53n)).varlong()).toBe(MAX);
});

test("endless and cut off varints are refused", () => {
  expect(() => cursorOf(Uint8Array.of(255, 255, 255, 255, 255, 1)).varint()).toThrow(RecordsError);
  expect(() => cursorOf(Uint8Array.of(255, 255, 255, 255, 0x10)).varint()).toThrow("too long");
  expect(cursorOf(Uint8Array.of(255, 255, 255, 255, 15)).varint()).toBe(-(2 ** 31));
  const long = new Uint8Array(11).fill(255);
  expect(() => cursorOf(long).varlong()).toThrow("too long");
  for (let length = 0; length < 4; length += 1) {
    expect(() => cursorOf(new Uint8Array(length).fill(255)).varint()).toThrow("ends early");
    expect(() => cursorOf(new Uint8Array(length).fill(255)).varlong()).toThrow("ends early");
  }
});

test("lengths are held against what remains", () => {
  const cursor = (value: number, behind: number): ByteCursor => {
    const bytes = new Uint8Array(varintSize(value) + behind);
    putVarint(bytes, 0, value);
    return cursorOf(bytes);
  };
  expect(cursor(3, 3).length(false, "x")).toBe(3);
  expect(cursor(-1, 3).length(true, "x")).toBe(-1);
  expect(() => cursor(-1, 3).length(false, "x")).toThrow("length -1");
  expect(() => cursor(-2, 3).length(true, "x")).toThrow("length -2");
  expect(() => cursor(4, 3).length(false, "x")).toThrow("length 4");
});
