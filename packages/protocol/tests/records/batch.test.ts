import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import {
  addSequence,
  BatchBuilder,
  BatchField,
  BatchView,
  controlType,
  ControlType,
  decodeBatches,
  encodeBatch,
  RecordsError,
  transactionMarker,
} from "../../src/records/index.ts";
import java from "./java-batches.json";
import { ascii, expectedRecord, goldenRecords, someRecords } from "./sample-records.ts";

const fromHex = (hex: string): Uint8Array => Uint8Array.fromHex(hex);
const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const T = 1_700_000_000_000;

test("decodes what Apache's client library encodes", () => {
  const [batch, ...rest] = decodeBatches(fromHex(java.none));
  expect(rest).toEqual([]);
  expect(batch?.records).toEqual(goldenRecords.map(expectedRecord) as never);
  expect(batch).toMatchObject({ baseOffset: 0, lastOffset: 4, magic: 2, codec: 0, producerId: -1 });
  expect(batch).toMatchObject({ baseTimestamp: T, maxTimestamp: T + 1_000_000 });
});

test("encodes byte for byte what Apache's client library encodes", () => {
  expect(encodeBatch(goldenRecords).toHex()).toBe(java.none);
  const options = { producerId: 4_294_967_301, producerEpoch: 9, baseSequence: 77 };
  const transactional = encodeBatch(goldenRecords, {
    ...options,
    baseOffset: 2 ** 40,
    partitionLeaderEpoch: 12,
    transactional: true,
  });
  expect(transactional.toHex()).toBe(java.transactional);
  const marker = (committed: boolean, coordinatorEpoch: number, baseOffset: number): string =>
    encodeBatch([{ ...transactionMarker(committed, coordinatorEpoch), timestamp: T }], {
      ...options,
      baseSequence: -1,
      baseOffset,
      partitionLeaderEpoch: 3,
      transactional: true,
      control: true,
    }).toHex();
  expect(marker(true, 21, 55)).toBe(java.commit);
  expect(marker(false, 22, 56)).toBe(java.abort);
});

test("the append time is the time of every record", () => {
  const [batch] = decodeBatches(fromHex(java["append-time"]));
  expect(batch?.isLogAppendTime).toBe(true);
  for (const record of batch?.records ?? []) expect(record.timestamp).toBe(T + 1_000_000);
  const bytes = encodeBatch(goldenRecords);
  new BatchView().at(viewOf(bytes), 0).stampLogAppendTime(bytes, T + 99);
  const [stamped] = decodeBatches(bytes);
  expect(stamped?.records.map((record) => record.timestamp)).toEqual(new Array(5).fill(T + 99));
  const direct = encodeBatch(goldenRecords, { appendTimestamp: T + 99 });
  expect(bytes).toEqual(direct);
});

test("control batches tell their type", () => {
  const [commit] = decodeBatches(fromHex(java.commit));
  expect(commit).toMatchObject({ isControl: true, isTransactional: true, producerEpoch: 9 });
  expect(controlType(commit?.records[0]?.key ?? null)).toBe(ControlType.COMMIT);
  const [abort] = decodeBatches(fromHex(java.abort));
  expect(controlType(abort?.records[0]?.key ?? null)).toBe(ControlType.ABORT);
  expect(() => controlType(null)).toThrow(RecordsError);
});

test("old message sets of both magics", () => {
  const plain = goldenRecords.map((record, index) => ({
    ...(expectedRecord(record, 7 + index) as object),
    headers: [],
  }));
  const v1 = decodeBatches(fromHex(java["v1-none"]));
  expect(v1.flatMap((batch) => batch.records)).toEqual(plain as never);
  const v0 = decodeBatches(fromHex(java["v0-none"]));
  expect(v0.flatMap((batch) => batch.records)).toEqual(
    plain.map((record) => ({ ...record, timestamp: -1 })) as never,
  );
  expect(v0.map((batch) => batch.magic)).toEqual([0, 0, 0, 0, 0]);
});

test("a view reads and patches a batch anywhere in a buffer", () => {
  const batch = fromHex(java.transactional);
  const bytes = new Uint8Array(batch.length + 30).fill(0xee);
  bytes.set(batch, 13);
  const outer = new Uint8Array(bytes.length + 5);
  outer.set(bytes, 5);
  const part = outer.subarray(5);
  const view = new BatchView().at(viewOf(part), 13);
  expect(view.baseOffset).toBe(2 ** 40);
  expect(view.lastOffset).toBe(2 ** 40 + 4);
  expect(view.sizeBytes).toBe(batch.length);
  expect(view.endOffset).toBe(13 + batch.length);
  expect(view.partitionLeaderEpoch).toBe(12);
  expect(view.producerId).toBe(4_294_967_301);
  expect(view.producerEpoch).toBe(9);
  expect(view.baseSequence).toBe(77);
  expect(view.lastSequence).toBe(81);
  expect([view.isTransactional, view.isControl, view.hasDeleteHorizon]).toEqual([
    true,
    false,
    false,
  ]);
  expect(view.computeCrc(part)).toBe(view.crc);
  view.baseOffset = 2 ** 53 - 1;
  view.partitionLeaderEpoch = 8;
  expect([view.baseOffset, view.partitionLeaderEpoch]).toEqual([2 ** 53 - 1, 8]);
  expect(view.computeCrc(part)).toBe(view.crc);
  expect(part[12]).toBe(0xee);
  expect(part[13 + batch.length]).toBe(0xee);
});

test("int64 fields are saturated", () => {
  const bytes = encodeBatch(goldenRecords);
  viewOf(bytes).setBigInt64(BatchField.producerId, 2n ** 63n - 1n);
  viewOf(bytes).setBigInt64(BatchField.baseOffset, -(2n ** 63n));
  const view = new BatchView().at(viewOf(bytes), 0);
  expect(view.producerId).toBe(Number.MAX_SAFE_INTEGER);
  expect(view.baseOffset).toBe(-Number.MAX_SAFE_INTEGER);
  view.baseOffset = -7;
  expect(viewOf(bytes).getBigInt64(0)).toBe(-7n);
});

test("sequences wrap from 2^31 - 1 to 0", () => {
  expect(addSequence(2 ** 31 - 1, 1)).toBe(0);
  expect(addSequence(2 ** 31 - 3, 5)).toBe(2);
  expect(addSequence(5, 0)).toBe(5);
});

test("round trip, one batch after another", () => {
  for (let seed = 1; seed <= 150; seed += 1) {
    const prng = new Prng(seed);
    const lists = Array.from({ length: prng.between(1, 4) }, () => someRecords(prng, 12));
    const chunks = lists.map((list, index) => encodeBatch(list, { baseOffset: index * 1000 }));
    const bytes = Buffer.concat(chunks);
    const decoded = decodeBatches(bytes, { cutOff: "refuse" }).map((batch) => batch.records);
    const expected = lists.map((list, index) =>
      list.map((record, delta) => expectedRecord(record, index * 1000 + delta)),
    );
    expect(decoded, `seed ${seed}`).toEqual(expected as never);
  }
});

test("a builder states its size as it grows, and offsets may have gaps", () => {
  const builder = new BatchBuilder(0);
  expect(builder.sizeBytes).toBe(61);
  builder.append({ value: ascii("x"), offsetDelta: 3 });
  builder.append({ value: ascii("y") });
  builder.append({ value: ascii("z"), offsetDelta: 9 });
  const { sizeBytes } = builder;
  const bytes = builder.build({ baseOffset: 100, lastOffsetDelta: 12 });
  expect(bytes.length).toBe(sizeBytes);
  const [batch] = decodeBatches(bytes);
  expect(batch?.records.map((record) => record.offset)).toEqual([103, 104, 109]);
  expect(batch?.lastOffset).toBe(112);
});

test("a batch that compaction has emptied decodes to no records", () => {
  const bytes = new BatchBuilder().build({ baseOffset: 40, lastOffsetDelta: 9 });
  expect(decodeBatches(bytes)).toMatchObject([{ baseOffset: 40, lastOffset: 49, records: [] }]);
});

test("a fetch cut off at any byte gives the whole batches and no more", () => {
  const first = encodeBatch(goldenRecords);
  const second = encodeBatch(goldenRecords, { baseOffset: 5 });
  const bytes = Buffer.concat([first, second]);
  for (let length = 0; length < bytes.length; length += 1) {
    const batches = decodeBatches(bytes.subarray(0, length));
    expect(batches.length).toBe(length < first.length ? 0 : 1);
    if (length === 0 || length === first.length) continue;
    expect(() => decodeBatches(bytes.subarray(0, length), { cutOff: "refuse" })).toThrow(
      RecordsError,
    );
  }
});

test("a flipped bit anywhere behind the leader epoch is found", () => {
  const bytes = encodeBatch(goldenRecords);
  for (let at = 16; at < bytes.length; at += 1) {
    const bad = bytes.slice();
    bad[at] = (bad[at] as number) ^ (1 << (at % 8));
    expect(() => decodeBatches(bad, { cutOff: "refuse" })).toThrow(RecordsError);
  }
});

test("damage under a right CRC throws RecordsError or decodes, and nothing else", () => {
  for (let seed = 1; seed <= 3000; seed += 1) {
    const prng = new Prng(seed);
    const bytes = encodeBatch(prng.chance(1, 2) ? goldenRecords : someRecords(prng, 6));
    const view = new BatchView().at(viewOf(bytes), 0);
    for (let count = prng.between(1, 4); count > 0; count -= 1) {
      bytes[prng.between(57, bytes.length - 1)] = prng.pick([0, 1, 2, 127, 128, 255]);
    }
    viewOf(bytes).setUint32(BatchField.crc, view.computeCrc(bytes));
    try {
      const [batch] = decodeBatches(bytes);
      expect(batch?.records.length, `seed ${seed}`).toBe(view.recordsCount);
    } catch (error) {
      expect(error, `seed ${seed}`).toBeInstanceOf(RecordsError);
    }
  }
});

test("batch lengths that lie are refused without a loop", () => {
  for (const length of [-(2 ** 31), -12, -1, 0, 4, 5, 48]) {
    const bytes = encodeBatch(goldenRecords);
    viewOf(bytes).setInt32(BatchField.batchLength, length);
    expect(() => decodeBatches(bytes)).toThrow(RecordsError);
    expect(() => decodeBatches(bytes, { checkCrc: false })).toThrow(RecordsError);
  }
  const v1 = fromHex(java["v1-none"]);
  viewOf(v1).setInt32(8, -5);
  expect(() => decodeBatches(v1)).toThrow(RecordsError);
});
