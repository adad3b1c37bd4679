import { describe, expect, test } from "bun:test";
import { Prng, ZERO_UUID } from "@mantou/base";
import { Reader, isUuid, uuidFromBytes, uuidToBytes } from "../../src/index.ts";
import { seed } from "../messages.ts";

describe("uuid", () => {
  test("is url-safe base64 without padding", () => {
    expect(uuidFromBytes(new Uint8Array(16))).toBe(ZERO_UUID);
    expect(uuidFromBytes(new Uint8Array(16).fill(0xff))).toBe("_____________________w" as never);
    const bytes = Uint8Array.from({ length: 16 }, (_, i) => i);
    expect(uuidFromBytes(bytes)).toBe("AAECAwQFBgcICQoLDA0ODw" as never);
    expect(uuidToBytes("AAECAwQFBgcICQoLDA0ODw")).toEqual(bytes);
  });

  test(`agrees with the platform, through a cache that is far too small, MANTOU_SEED=${seed}`, () => {
    const prng = new Prng(seed);
    const known = Array.from({ length: 5000 }, () =>
      Uint8Array.from({ length: 16 }, () => prng.below(256)),
    );
    for (let i = 0; i < 20_000; i++) {
      const bytes = prng.pick(known);
      const text = new Reader(bytes).uuid();
      const expected = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
      expect(text as string).toBe(expected);
      expect(uuidToBytes(text)).toEqual(bytes);
    }
  });

  test("tells ids apart that differ in one word only", () => {
    for (let word = 0; word < 4; word++) {
      for (let i = 0; i < 5000; i++) {
        const bytes = new Uint8Array(16);
        new DataView(bytes.buffer).setUint32(word * 4, i);
        expect(uuidToBytes(new Reader(bytes).uuid())).toEqual(bytes);
      }
    }
  });

  test("has one text form only", () => {
    expect(isUuid("AAECAwQFBgcICQoLDA0ODw")).toBe(true);
    // The last digit has four bits too many; they must be zero.
    expect(isUuid("AAECAwQFBgcICQoLDA0ODx")).toBe(false);
    for (const text of [
      "",
      "AAECAwQFBgcICQoLDA0OD",
      "AAECAwQFBgcICQoLDA0ODw=",
      "AAECAwQFBgcICQoLDA0+Dw",
    ]) {
      expect(isUuid(text)).toBe(false);
      expect(() => uuidToBytes(text)).toThrow(RangeError);
    }
    expect(isUuid("ÄAECAwQFBgcICQoLDA0ODw")).toBe(false);
  });

  test("reads bytes from the middle of a buffer", () => {
    const buffer = new Uint8Array(40);
    buffer.fill(1, 9, 25);
    expect(uuidFromBytes(buffer.subarray(9, 25))).toBe(uuidFromBytes(new Uint8Array(16).fill(1)));
  });
});
