import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import {
  BatchFault,
  BatchField,
  batchFault,
  BatchView,
  encodeBatch,
} from "../../src/records/index.ts";
import { goldenRecords, someRecords } from "./sample-records.ts";

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const judge = (bytes: Uint8Array): BatchFault => batchFault(bytes, viewOf(bytes), 0, bytes.length);

/** A batch with a patch applied under a right CRC. */
function patched(patch: (view: DataView) => void): Uint8Array {
  const bytes = encodeBatch(goldenRecords);
  const view = viewOf(bytes);
  patch(view);
  view.setUint32(BatchField.crc, new BatchView().at(view, 0).computeCrc(bytes));
  return bytes;
}

test("a good batch has no fault, alone and in the middle of a buffer", () => {
  const good = encodeBatch(goldenRecords);
  expect(judge(good)).toBe(BatchFault.NONE);
  const bytes = new Uint8Array(good.length + 40);
  bytes.set(good, 17);
  expect(batchFault(bytes, viewOf(bytes), 17, good.length)).toBe(BatchFault.NONE);
  expect(batchFault(bytes, viewOf(bytes), 17, good.length + 20)).toBe(BatchFault.NONE);
  expect(batchFault(bytes, viewOf(bytes), 17, good.length - 1)).toBe(BatchFault.TRUNCATED);
});

test("a batch cut off at any byte", () => {
  const good = encodeBatch(goldenRecords);
  for (let length = 0; length < good.length; length += 1) {
    expect(judge(good.subarray(0, length))).toBe(BatchFault.TRUNCATED);
  }
});

test("each fault has its name", () => {
  expect(judge(patched((view) => view.setInt8(BatchField.magic, 1)))).toBe(BatchFault.MAGIC);
  for (const length of [1e6, 48, 0, -1, -12, -(2 ** 31)]) {
    const bytes = encodeBatch(goldenRecords);
    viewOf(bytes).setInt32(BatchField.batchLength, length);
    expect(judge(bytes), `${length}`).toBe(BatchFault.TRUNCATED);
  }
  const bad = encodeBatch(goldenRecords);
  bad[100] = 0x55;
  expect(judge(bad)).toBe(BatchFault.CRC);
});

test("mutated batches are judged without an exception, and a wrong byte is found", () => {
  for (let seed = 1; seed <= 1000; seed += 1) {
    const prng = new Prng(seed);
    const good = encodeBatch(someRecords(prng, 5));
    const bytes = good.slice();
    for (let count = prng.between(1, 5); count > 0; count -= 1) {
      bytes[prng.below(bytes.length)] = prng.pick([0, 1, 2, 3, 4, 127, 128, 255]);
    }
    // Base offset and leader epoch are outside of the CRC.
    const differs = bytes.some((byte, at) => byte !== good[at] && at > 15);
    const lengthDiffers = bytes.some((byte, at) => byte !== good[at] && at >= 8 && at < 12);
    const expected = differs || lengthDiffers;
    expect(judge(bytes) !== BatchFault.NONE, `seed ${seed}`).toBe(expected);
  }
});
