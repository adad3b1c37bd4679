import { describe, expect, test } from "bun:test";
import { Prng, logId } from "@mantou/base";
import {
  type ProducerEntry,
  ProducerStates,
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  producerSnapshotName,
  producerSnapshotOffset,
} from "../src/index.ts";

const batch = (lastSequence: number, lastOffset: number) => ({
  lastSequence,
  sequenceDelta: 1,
  lastOffset,
  timestamp: 1_700_000_000_000 + lastOffset,
});

const entries: readonly ProducerEntry[] = [
  {
    producerId: 2 ** 53 - 1,
    producerEpoch: 32_767,
    coordinatorEpoch: 4,
    transactionOffset: -1,
    batches: [batch(3, 10), batch(5, 12), batch(7, 99)],
  },
  { producerId: 0, producerEpoch: 1, coordinatorEpoch: 0, transactionOffset: 5, batches: [] },
];

describe("producer snapshots", () => {
  test("come back as they were", () => {
    const decoded = decodeProducerSnapshot(encodeProducerSnapshot(entries));
    const transactions = { aborted: [], decided: [] };
    expect(decoded).toEqual({ ok: true, value: { producers: entries, transactions } });
    expect(decodeProducerSnapshot(encodeProducerSnapshot([]))).toMatchObject({
      ok: true,
      value: { producers: [] },
    });
  });

  test("begin with Kafka's version 1, byte by byte", () => {
    const [first] = entries;
    const bytes = encodeProducerSnapshot([first as ProducerEntry]);
    const hex = Buffer.from(bytes).toString("hex");
    expect(hex.slice(0, 4)).toBe("0001");
    expect(hex.slice(12, 12 + 8 + 92)).toBe(
      "00000001" + // one entry
        "001fffffffffffff" + // producer id
        "7fff" + // epoch
        "00000007" + // last sequence
        "0000000000000063" + // last offset
        "00000001" + // offset delta
        "0000018bcfe56863" + // timestamp
        "00000004" + // coordinator epoch
        "ffffffffffffffff", // first offset of the transaction
    );
  });

  test("of Kafka, without our part, hold the last batch of each producer", () => {
    const ours = encodeProducerSnapshot(entries);
    const kafkas = ours.slice(0, 6 + 4 + 2 * 46);
    new DataView(kafkas.buffer).setUint32(2, crc32cOf(kafkas.subarray(6)));
    const decoded = decodeProducerSnapshot(kafkas);
    expect(decoded).toMatchObject({
      ok: true,
      value: { producers: [{ batches: [batch(7, 99)] }, { batches: [] }] },
    });
  });

  test("that end early or are damaged anywhere are refused", () => {
    const bytes = encodeProducerSnapshot(entries);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(decodeProducerSnapshot(bytes.slice(0, length)).ok).toBe(false);
    }
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] as number) ^ 0x40;
      expect(decodeProducerSnapshot(damaged).ok).toBe(false);
    }
  });

  test("with a right checksum and wrong content are refused, not believed", () => {
    const prng = new Prng(3);
    for (let round = 0; round < 3000; round += 1) {
      const damaged = encodeProducerSnapshot(entries).slice();
      damaged[6 + prng.below(damaged.length - 6)] = prng.below(256);
      new DataView(damaged.buffer).setUint32(2, crc32cOf(damaged.subarray(6)));
      decodeProducerSnapshot(damaged);
    }
    const many = encodeProducerSnapshot(entries).slice();
    new DataView(many.buffer).setInt32(6, 0x7fff_ffff);
    new DataView(many.buffer).setUint32(2, crc32cOf(many.subarray(6)));
    expect(decodeProducerSnapshot(many)).toMatchObject({ ok: false, error: { kind: "malformed" } });
  });

  test("carry five batches over a restart: an answer that was lost is found again", () => {
    const log = logId(0);
    const limits = {
      producersPerPartitionMax: 10,
      producersMax: 10,
      producerIdExpirationMs: 1000,
    };
    const before = new ProducerStates(limits);
    for (let sequence = 0; sequence < 7; sequence += 1) {
      before.record(log, 1, 0, sequence, 0, sequence, 50, 0);
    }
    const after = new ProducerStates(limits);
    expect(after.restoreSnapshot(log, before.encodeSnapshot(log), 0)).toEqual({
      ok: true,
      value: 1,
    });
    expect(after.admit(log, 1, 0, 2, 0, 0)).toMatchObject({ kind: "duplicate", baseOffset: 2 });
    expect(after.admit(log, 1, 0, 7, 0, 0)).toEqual({ kind: "accept" });
    expect(after.encodeSnapshot(log)).toEqual(before.encodeSnapshot(log));
  });

  test("are named by their end offset", () => {
    expect(producerSnapshotName(42)).toBe("00000000000000000042.snapshot");
    expect(producerSnapshotOffset("00000000000000000042.snapshot")).toBe(42);
    expect(producerSnapshotOffset("42.snapshot")).toBeNull();
    expect(producerSnapshotOffset("99999999999999999999.snapshot")).toBeNull();
  });
});

/** CRC-32C bit by bit: not the implementation under test. */
function crc32cOf(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
