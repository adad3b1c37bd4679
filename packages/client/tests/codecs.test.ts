import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import {
  BatchFault,
  BatchView,
  checkPayload,
  CompressionType,
  compressionName,
  decodeBatches,
  encodeBatch,
  type RecordInput,
  RecordsError,
} from "@mantou/protocol";
import { codecs } from "../src/codecs.ts";
import java from "./fixtures/java.json";
import kafkaPython from "./fixtures/kafka-python.json";
import librdkafka from "./fixtures/librdkafka.json";
import { expectedRecords, goldenRecords } from "./golden-records.ts";

const NAMES = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
const COMPRESSED = ["gzip", "snappy", "lz4", "zstd"] as const;

function faultOf(call: () => unknown): BatchFault {
  try {
    call();
  } catch (error) {
    if (error instanceof RecordsError) return error.fault;
    throw error;
  }
  return BatchFault.NONE;
}

const records = (hex: string): unknown[] =>
  decodeBatches(Uint8Array.fromHex(hex), { codecs, cutOff: "refuse" }).flatMap((b) => b.records);

test("batches of Apache's client library", () => {
  for (const name of NAMES) expect(records(java[name]), name).toEqual(expectedRecords(0));
});

test("batches of kafka-python", () => {
  for (const name of NAMES) expect(records(kafkaPython[name]), name).toEqual(expectedRecords(0));
});

test("batches of librdkafka, whose snappy is bare", () => {
  for (const name of NAMES) expect(records(librdkafka[name]), name).toEqual(expectedRecords(0));
  expect(librdkafka.snappy).not.toContain("82534e41505059");
});

test("a payload of several blocks from Apache's client library", () => {
  const value = new TextEncoder().encode("0123456789abcdef".repeat(12_500));
  for (const name of COMPRESSED) {
    const [record] = records(java[`big-${name}`]) as { value: Uint8Array }[];
    expect(record?.value, name).toEqual(value);
  }
});

test("old message sets from Apache's client library", () => {
  for (const name of ["none", "gzip", "snappy", "lz4"] as const) {
    const plain = expectedRecords(7).map((record) => ({ ...record, headers: [] }));
    expect(records(java[`v1-${name}`]), name).toEqual(plain);
    const v0 = plain.map((record) => ({ ...record, timestamp: -1 }));
    expect(records(java[`v0-${name}`]), name).toEqual(v0);
  }
});

test("payloads of others pass the check of their framing", () => {
  for (const name of COMPRESSED) {
    for (const hex of [java[name], kafkaPython[name], librdkafka[name]]) {
      const bytes = Uint8Array.fromHex(hex);
      const batch = new BatchView().at(new DataView(bytes.buffer), 0);
      const check = (): void => checkPayload(batch.codec, bytes.subarray(batch.recordsOffset));
      expect(faultOf(check), name).toBe(BatchFault.NONE);
    }
  }
});

function plainBytes(prng: Prng): Uint8Array {
  const length = prng.pick([0, 1, 100, 32_768, 65_536, 300_000]) + prng.below(3);
  // Runs of bytes: something for a codec to do, and something that it cannot shorten.
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const run = prng.chance(1, 2) ? 1 : prng.between(1, 500);
    bytes.fill(prng.below(256), at, at + run);
    at += run;
  }
  return bytes;
}

test("round trips, and bounds that hold to the byte", () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const plain = plainBytes(new Prng(seed));
    for (const name of COMPRESSED) {
      const packed = codecs[name].compress(plain);
      const label = `${name} seed ${seed}`;
      expect(Buffer.compare(codecs[name].decompress(packed, plain.length), plain), label).toBe(0);
      if (plain.length === 0) continue;
      const tight = faultOf(() => codecs[name].decompress(packed, plain.length - 1));
      expect(tight, label).toBe(BatchFault.INFLATED_SIZE);
    }
  }
});

test("bombs are refused, and quickly", () => {
  const zeros = new Uint8Array(256 * 1024 * 1024);
  for (const name of COMPRESSED) {
    const bomb = codecs[name].compress(zeros);
    const before = performance.now();
    const fault = faultOf(() => codecs[name].decompress(bomb, 1024 * 1024));
    expect(fault, name).toBe(BatchFault.INFLATED_SIZE);
    expect(performance.now() - before, name).toBeLessThan(500);
  }
});

test("a payload cut off at any byte is damaged, never shorter", () => {
  const plain = plainBytes(new Prng(4)).subarray(0, 700);
  for (const name of COMPRESSED) {
    const packed = codecs[name].compress(plain);
    for (let length = 0; length < packed.length; length += 1) {
      // A snappy stream that ends between chunks, or has none, is a whole one.
      if (name === "snappy" && length === 16) continue;
      const cut = packed.subarray(0, length);
      const fault = faultOf(() => codecs[name].decompress(cut, 1 << 20));
      expect(fault, `${name} cut to ${length}`).toBe(BatchFault.COMPRESSION);
    }
  }
});

test("mutated payloads throw RecordsError or inflate within the bound", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const prng = new Prng(seed);
    const plain = plainBytes(prng).subarray(0, 40_000);
    for (const name of COMPRESSED) {
      const packed = codecs[name].compress(plain).slice();
      for (let count = prng.between(1, 4); count > 0; count -= 1) {
        packed[prng.below(packed.length)] = prng.below(256);
      }
      try {
        const inflated = codecs[name].decompress(packed, 50_000);
        expect(inflated.length, `${name} seed ${seed}`).toBeLessThanOrEqual(50_000);
      } catch (error) {
        expect(error, `${name} seed ${seed}: ${String(error)}`).toBeInstanceOf(RecordsError);
      }
    }
  }
});

test("gzip members and zstd frames may be concatenated", () => {
  const parts = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)];
  for (const name of ["gzip", "zstd", "snappy"] as const) {
    const packed = Buffer.concat(parts.map((part) => codecs[name].compress(part)));
    expect([...codecs[name].decompress(packed, 100)], name).toEqual([1, 2, 3, 4, 5]);
  }
});

test("whole batches round trip through every codec", () => {
  for (const type of Object.values(CompressionType)) {
    const bytes = encodeBatch(goldenRecords as RecordInput[], { codec: type, codecs });
    const decoded = decodeBatches(bytes, { codecs });
    expect(decoded[0]?.codec).toBe(type);
    expect(decoded[0]?.records as unknown, compressionName(type)).toEqual(expectedRecords(0));
  }
  const packed = encodeBatch(goldenRecords, { codec: CompressionType.LZ4, codecs });
  const { gzip } = codecs;
  expect(faultOf(() => decodeBatches(packed, { codecs: { gzip } }))).toBe(BatchFault.CODEC_MISSING);
});

test("a batch whose records inflate beyond the bound is refused", () => {
  const value = new Uint8Array(100_000);
  for (const type of [1, 2, 3, 4] as const) {
    const bytes = encodeBatch([{ value }], { codec: type, codecs });
    const fault = faultOf(() => decodeBatches(bytes, { codecs, inflatedBytesMax: 50_000 }));
    expect(fault, compressionName(type)).toBe(BatchFault.INFLATED_SIZE);
  }
});
