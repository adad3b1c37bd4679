import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import {
  type BlockCodec,
  BatchFault,
  checkPayload,
  checkZstd,
  CompressionType,
  lz4Codec,
  RecordsError,
  snappyCodec,
  xxhash32,
} from "../../src/records/index.ts";
import { someBytes } from "./sample-records.ts";

/** LZ4 blocks that hold literals only: one sequence, whose length runs on in bytes of 255. */
const lz4Literals: BlockCodec = {
  compress(block) {
    const length: number[] = [];
    if (block.length < 15) return Uint8Array.of(block.length << 4, ...block);
    let rest = block.length - 15;
    for (; rest >= 255; rest -= 255) length.push(255);
    return Uint8Array.of(0xf0, ...length, rest, ...block);
  },
  decompress(block, bytesMax) {
    let size = (block[0] as number) >> 4;
    let at = 1;
    if (size === 15) {
      for (; ; at += 1) {
        size += block[at] as number;
        if (block[at] !== 255) break;
      }
      at += 1;
    }
    if (size > bytesMax) throw new Error("does not fit");
    if (block.length !== at + size) throw new Error("damaged");
    return block.subarray(at);
  },
};

/** Snappy blocks that hold literals only. */
const snappyLiterals: BlockCodec = {
  compress(block) {
    const out: number[] = [];
    let size = block.length;
    for (; size >= 128; size = Math.floor(size / 128)) out.push((size & 127) | 128);
    out.push(size);
    for (let at = 0; at < block.length; at += 60) {
      const part = block.subarray(at, at + 60);
      out.push((part.length - 1) << 2, ...part);
    }
    return Uint8Array.from(out);
  },
  decompress(block) {
    let at = 0;
    while ((block[at] as number) >= 128) at += 1;
    const out: number[] = [];
    for (at += 1; at < block.length;) {
      const length = ((block[at] as number) >> 2) + 1;
      out.push(...block.subarray(at + 1, at + 1 + length));
      at += 1 + length;
    }
    return Uint8Array.from(out);
  },
};

const lz4 = lz4Codec(lz4Literals);
const snappy = snappyCodec(snappyLiterals);
const LZ4_HEADER = "04224d18604082";
const XERIAL_HEADER = "82534e41505059000000000100000001";

const hex = (...parts: string[]): Uint8Array => Uint8Array.fromHex(parts.join(""));

function faultOf(call: () => unknown): BatchFault {
  try {
    call();
  } catch (error) {
    if (error instanceof RecordsError) return error.fault;
    throw error;
  }
  return BatchFault.NONE;
}

test("round trips over several blocks", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const prng = new Prng(seed);
    const plain = someBytes(prng, prng.pick([0, 1, 40, 33_000, 140_000]));
    for (const codec of [lz4, snappy]) {
      const packed = codec.compress(plain);
      expect(codec.decompress(packed, plain.length), `seed ${seed}`).toEqual(plain);
      if (plain.length === 0) continue;
      const tight = (): unknown => codec.decompress(packed, plain.length - 1);
      expect(faultOf(tight), `seed ${seed}`).toBe(BatchFault.INFLATED_SIZE);
    }
  }
});

test("the headers are those of the format", () => {
  expect(lz4.compress(Uint8Array.of(1)).toHex()).toStartWith(LZ4_HEADER);
  expect(snappy.compress(Uint8Array.of(1)).toHex()).toStartWith(XERIAL_HEADER);
});

test("frames cut off at any byte are refused", () => {
  const plain = someBytes(new Prng(5), 200);
  const packed = lz4.compress(plain);
  for (let length = 0; length < packed.length; length += 1) {
    const cut = packed.subarray(0, length);
    expect(faultOf(() => lz4.decompress(cut, 1e6))).toBe(BatchFault.COMPRESSION);
    expect(faultOf(() => checkPayload(CompressionType.LZ4, cut))).toBe(BatchFault.COMPRESSION);
  }
  const xerial = snappy.compress(plain);
  for (let length = 17; length < xerial.length; length += 1) {
    const cut = xerial.subarray(0, length);
    expect(faultOf(() => snappy.decompress(cut, 1e6))).toBe(BatchFault.COMPRESSION);
  }
});

test("snappy is read raw, as one stream and as several", () => {
  const one = Uint8Array.of(1, 2, 3);
  const two = Uint8Array.of(4, 5);
  expect(snappy.decompress(snappyLiterals.compress(one), 100)).toEqual(one);
  const streams = Buffer.concat([snappy.compress(one), snappy.compress(two)]);
  expect(snappy.decompress(streams, 100)).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
});

test("a snappy size that its bytes cannot hold is refused before anything is inflated", () => {
  const bomb = Uint8Array.fromHex("ffffffff0f00");
  expect(faultOf(() => snappy.decompress(bomb, 2 ** 31))).toBe(BatchFault.COMPRESSION);
  expect(faultOf(() => snappy.decompress(new Uint8Array(0), 10))).toBe(BatchFault.COMPRESSION);
  const endless = new Uint8Array(6).fill(255);
  expect(faultOf(() => snappy.decompress(endless, 10))).toBe(BatchFault.COMPRESSION);
  const negative = Uint8Array.fromHex(XERIAL_HEADER + "ffffffff00");
  expect(faultOf(() => snappy.decompress(negative, 10))).toBe(BatchFault.COMPRESSION);
});

/** A frame with any flags around stored blocks, checksums included. */
function lz4Frame(flags: number, block: Uint8Array, sizeCode = 4): Uint8Array {
  const bytes: number[] = [0x04, 0x22, 0x4d, 0x18, flags, sizeCode << 4];
  if ((flags & 8) !== 0) bytes.push(block.length, 0, 0, 0, 0, 0, 0, 0);
  bytes.push((xxhash32(Uint8Array.from(bytes), 4) >>> 8) & 255);
  const word = (value: number): number[] => [
    value & 255,
    (value >>> 8) & 255,
    (value >>> 16) & 255,
    value >>> 24,
  ];
  bytes.push(...word((block.length | 0x80000000) >>> 0), ...block);
  if ((flags & 16) !== 0) bytes.push(...word(xxhash32(block)));
  bytes.push(...word(0));
  if ((flags & 4) !== 0) bytes.push(...word(xxhash32(block)));
  return Uint8Array.from(bytes);
}

test("optional parts of an lz4 frame are read and verified", () => {
  const block = Uint8Array.of(9, 8, 7, 6);
  for (const extra of [0, 4, 8, 16, 4 | 8, 4 | 16, 8 | 16, 4 | 8 | 16]) {
    const frame = lz4Frame(0x60 | extra, block);
    expect(lz4.decompress(frame, 100)).toEqual(block);
    checkPayload(CompressionType.LZ4, frame);
  }
  const badBlock = lz4Frame(0x60 | 16, block);
  badBlock[12] = (badBlock[12] as number) ^ 1;
  expect(() => lz4.decompress(badBlock, 100)).toThrow("block checksum");
  const badContent = lz4Frame(0x60 | 4, block);
  badContent[12] = (badContent[12] as number) ^ 1;
  expect(() => lz4.decompress(badContent, 100)).toThrow("content checksum");
});

test("lz4 frames that Kafka's readers reject", () => {
  const block = Uint8Array.of(1);
  const refuse = (frame: Uint8Array, why: string): void => {
    expect(() => checkPayload(CompressionType.LZ4, frame)).toThrow(why);
    expect(() => lz4.decompress(frame, 100)).toThrow(why);
  };
  refuse(lz4Frame(0x40, block), "depend");
  refuse(lz4Frame(0x20, block), "version");
  refuse(lz4Frame(0x62, block), "reserved");
  refuse(lz4Frame(0x61, block), "dictionary");
  refuse(lz4Frame(0x60, block, 3), "block size");
  const checksum = lz4Frame(0x60, block);
  checksum[6] = (checksum[6] as number) ^ 1;
  refuse(checksum, "header checksum");
  refuse(Buffer.concat([lz4Frame(0x60, block), Uint8Array.of(0)]), "follow");
  const large = lz4Frame(0x60, new Uint8Array(65_537));
  refuse(large, "claims");
});

test("a stated content size beyond the bound is refused at once", () => {
  const frame = lz4Frame(0x68, new Uint8Array(200));
  expect(faultOf(() => lz4.decompress(frame, 100))).toBe(BatchFault.INFLATED_SIZE);
});

test("zstd frames are walked", () => {
  const empty = hex("28b52ffd", "2000", "010000");
  expect(checkZstd(empty)).toEqual({ statedBytes: 0, bytesMax: 0 });
  const rle = hex("28b52ffd", "0058", "0b0000", "41");
  expect(checkZstd(rle)).toEqual({ statedBytes: null, bytesMax: 1 });
  const skippable = hex("502a4d18", "02000000", "abcd");
  expect(checkZstd(Buffer.concat([skippable, empty, rle])).statedBytes).toBe(null);
  const refused: [string, string][] = [
    ["", "no frame"],
    [skippable.toHex(), "no frame"],
    ["28b52f", "cut off"],
    ["28b52ffc0000", "no frame magic"],
    ["28b52ffd2800010000", "reserved"],
    ["28b52ffd0058070000", "reserved type"],
    ["28b52ffd00580b00", "cut off"],
    ["28b52ffd0058010020", "claims"],
    ["28b52ffd00ff010000", "window"],
    ["28b52ffd210100010000", "dictionary"],
    ["28b52ffd24000100001122", "checksum"],
    [empty.toHex() + "00", "cut off"],
  ];
  for (const [hex, why] of refused) {
    expect(() => checkZstd(Uint8Array.fromHex(hex)), hex).toThrow(why);
  }
});

test("gzip members are judged by their header", () => {
  const member = Bun.gzipSync(new Uint8Array(10));
  checkPayload(CompressionType.GZIP, member);
  for (const at of [0, 1, 2]) {
    const bad = member.slice();
    bad[at] = 0;
    expect(faultOf(() => checkPayload(CompressionType.GZIP, bad))).toBe(BatchFault.COMPRESSION);
  }
  const cut = member.subarray(0, 19);
  expect(faultOf(() => checkPayload(CompressionType.GZIP, cut))).toBe(BatchFault.COMPRESSION);
  expect(faultOf(() => checkPayload(7, member))).toBe(BatchFault.COMPRESSION);
});
