import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import {
  type BatchChecks,
  BatchFault,
  BatchField,
  type BatchOptions,
  batchFault,
  BatchView,
  CompressionType,
  encodeBatch,
  producedBatchFault,
  type RecordCodec,
} from "../../src/records/index.ts";
import { ascii, goldenRecords, someRecords } from "./sample-records.ts";

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const judge = (bytes: Uint8Array, checks: BatchChecks = {}): BatchFault =>
  producedBatchFault(bytes, viewOf(bytes), 0, bytes.length, checks);

/** A batch with a patch applied under a right CRC. */
function patched(patch: (view: DataView) => void, options: BatchOptions = {}): Uint8Array {
  const bytes = encodeBatch(goldenRecords, options);
  const view = viewOf(bytes);
  patch(view);
  view.setUint32(BatchField.crc, new BatchView().at(view, 0).computeCrc(bytes));
  return bytes;
}

test("a good batch has no fault, alone and in the middle of a buffer", () => {
  const good = encodeBatch(goldenRecords);
  expect(judge(good, { records: true })).toBe(BatchFault.NONE);
  const bytes = new Uint8Array(good.length + 40);
  bytes.set(good, 17);
  expect(producedBatchFault(bytes, viewOf(bytes), 17, good.length)).toBe(BatchFault.NONE);
  expect(batchFault(bytes, viewOf(bytes), 17, good.length + 20)).toBe(BatchFault.NONE);
});

test("a batch cut off at any byte, or with bytes behind it", () => {
  const good = encodeBatch(goldenRecords);
  for (let length = 0; length < good.length; length += 1) {
    expect(judge(good.subarray(0, length))).toBe(BatchFault.TRUNCATED);
  }
  expect(judge(Buffer.concat([good, Uint8Array.of(0)]))).toBe(BatchFault.TRAILING);
  expect(judge(Buffer.concat([good, good]))).toBe(BatchFault.TRAILING);
});

test("each header fault has its name", () => {
  const faults: [string, BatchFault, Uint8Array][] = [
    ["magic 1", BatchFault.MAGIC, patched((view) => view.setInt8(BatchField.magic, 1))],
    ["length", BatchFault.TRUNCATED, patched((view) => view.setInt32(BatchField.batchLength, 1e6))],
    ["count 0", BatchFault.COUNT, patched((view) => view.setInt32(BatchField.recordsCount, 0))],
    ["count -1", BatchFault.COUNT, patched((view) => view.setInt32(BatchField.recordsCount, -1))],
    ["delta", BatchFault.COUNT, patched((view) => view.setInt32(BatchField.lastOffsetDelta, 5))],
    ["base offset", BatchFault.COUNT, patched(() => {}, { baseOffset: 1 })],
    ["no sequence", BatchFault.COUNT, patched(() => {}, { producerId: 1, producerEpoch: 0 })],
    ["control", BatchFault.ATTRIBUTES, patched(() => {}, { control: true })],
    ["horizon", BatchFault.ATTRIBUTES, patched((view) => view.setInt16(BatchField.attributes, 64))],
    ["codec 5", BatchFault.COMPRESSION, patched((view) => view.setInt16(BatchField.attributes, 5))],
    ["bit 9", BatchFault.ATTRIBUTES, patched((view) => view.setInt16(BatchField.attributes, 512))],
  ];
  for (const [name, fault, bytes] of faults) expect(judge(bytes), name).toBe(fault);
  const bad = encodeBatch(goldenRecords);
  bad[100] = 0x55;
  expect(judge(bad)).toBe(BatchFault.CRC);
});

test("records are judged where that is asked for", () => {
  const short = patched((view) => {
    view.setInt32(BatchField.recordsCount, 4);
    view.setInt32(BatchField.lastOffsetDelta, 3);
  });
  expect(judge(short)).toBe(BatchFault.NONE);
  expect(judge(short, { records: true })).toBe(BatchFault.RECORDS);
  expect(judge(encodeBatch(goldenRecords), { keysRequired: true })).toBe(BatchFault.KEY_MISSING);
  const keyed = encodeBatch([{ key: ascii("k"), value: null }]);
  expect(judge(keyed, { keysRequired: true })).toBe(BatchFault.NONE);
});

test("compressed records need a codec, within the bound", () => {
  // A stand-in for gzip: two bytes of magic and the method, padding, then the plain bytes.
  const header = new Uint8Array(20);
  header.set([0x1f, 0x8b, 8]);
  const gzip: RecordCodec = {
    compress: (bytes) => Buffer.concat([header, bytes]),
    decompress: (bytes) => bytes.subarray(20),
  };
  const packed = encodeBatch(goldenRecords, { codec: CompressionType.GZIP, codecs: { gzip } });
  expect(judge(packed)).toBe(BatchFault.NONE);
  expect(judge(packed, { records: true })).toBe(BatchFault.CODEC_MISSING);
  expect(judge(packed, { records: true, codecs: { gzip } })).toBe(BatchFault.NONE);
  const plain = patched((view) => view.setInt16(BatchField.attributes, CompressionType.GZIP));
  expect(judge(plain)).toBe(BatchFault.COMPRESSION);
});

test("mutated batches are judged without an exception", () => {
  for (let seed = 1; seed <= 3000; seed += 1) {
    const prng = new Prng(seed);
    const bytes = encodeBatch(someRecords(prng, 5));
    for (let count = prng.between(1, 5); count > 0; count -= 1) {
      bytes[prng.below(bytes.length)] = prng.pick([0, 1, 2, 3, 4, 127, 128, 255]);
    }
    const view = viewOf(bytes);
    const size = new BatchView().at(view, 0).sizeBytes;
    if (size >= 61 && size <= bytes.length) {
      view.setUint32(BatchField.crc, new BatchView().at(view, 0).computeCrc(bytes));
    }
    const fault = judge(bytes, { records: true });
    expect(Object.values(BatchFault), `seed ${seed}`).toContain(fault);
  }
});
