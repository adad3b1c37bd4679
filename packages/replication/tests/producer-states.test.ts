import { beforeEach, describe, expect, test } from "bun:test";
import { logId } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import { ProducerStates } from "../src/index.ts";

const log = logId(1);
const other = logId(2);
const SEQUENCE_MAX = 0x7fff_ffff;
const limits = {
  producersPerPartitionMax: 3,
  producersMax: 5,
  producerIdExpirationMs: 1000,
};

let states: ProducerStates;
let end = 0;

beforeEach(() => {
  states = new ProducerStates(limits);
  end = 0;
});

interface Sent {
  producerId?: number;
  epoch?: number;
  sequence: number;
  count?: number;
  nowMs?: number;
  logId?: typeof log;
}

/** What becomes of a batch: the offset it gets or got, or the error. */
function send(sent: Sent): string {
  const { producerId = 7, epoch = 0, sequence, count = 1, nowMs = 0 } = sent;
  const at = sent.logId ?? log;
  const verdict = states.admit(at, producerId, epoch, sequence, count - 1, nowMs);
  if (verdict.kind === "refuse") return `refused ${verdict.errorCode}`;
  if (verdict.kind === "duplicate") return `duplicate ${verdict.baseOffset}/${verdict.timestamp}`;
  states.record(at, producerId, epoch, sequence, count - 1, end, 1000 + end, nowMs);
  end += count;
  return `offset ${end - count}`;
}

const OUT_OF_ORDER = `refused ${ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER}`;
const OLD_EPOCH = `refused ${ErrorCode.INVALID_PRODUCER_EPOCH}`;

describe("sequences", () => {
  test("follow each other without gaps", () => {
    expect(send({ sequence: 0, count: 3 })).toBe("offset 0");
    expect(send({ sequence: 3, count: 2 })).toBe("offset 3");
    expect(send({ sequence: 6 })).toBe(OUT_OF_ORDER);
    expect(send({ sequence: 4 })).toBe(OUT_OF_ORDER);
    expect(send({ sequence: 5 })).toBe("offset 5");
  });

  test("the last five batches are recognised, with offset and timestamp of the first time", () => {
    for (let sequence = 0; sequence < 12; sequence += 2) send({ sequence, count: 2 });
    expect(send({ sequence: 10, count: 2 })).toBe("duplicate 10/1010");
    expect(send({ sequence: 2, count: 2 })).toBe("duplicate 2/1002");
    expect(send({ sequence: 0, count: 2 })).toBe(OUT_OF_ORDER);
    expect(send({ sequence: 10, count: 1 })).toBe(OUT_OF_ORDER);
    expect(send({ sequence: 9, count: 3 })).toBe(OUT_OF_ORDER);
    expect(send({ sequence: 12, count: 2 })).toBe("offset 12");
  });

  test("an unknown producer begins anywhere", () => {
    expect(send({ sequence: 500 })).toBe("offset 0");
    expect(send({ sequence: 501 })).toBe("offset 1");
    expect(send({ sequence: 500 })).toBe("duplicate 0/1000");
  });

  test("wrap around behind 2^31 - 1, between batches and within one", () => {
    expect(send({ sequence: SEQUENCE_MAX - 1, count: 2 })).toBe("offset 0");
    expect(send({ sequence: 0, count: 1 })).toBe("offset 2");
    states.forget(log);
    expect(send({ sequence: SEQUENCE_MAX - 1, count: 4 })).toBe("offset 3");
    expect(send({ sequence: SEQUENCE_MAX - 1, count: 4 })).toBe("duplicate 3/1003");
    expect(send({ sequence: 3 })).toBe(OUT_OF_ORDER);
    expect(send({ sequence: 2 })).toBe("offset 7");
  });

  test("a producer id without epoch or sequence is no producer", () => {
    expect(send({ sequence: -1 })).toBe(`refused ${ErrorCode.INVALID_RECORD}`);
    expect(send({ sequence: 0, epoch: -1 })).toBe(`refused ${ErrorCode.INVALID_RECORD}`);
  });

  test("partitions do not know each other's producers", () => {
    send({ sequence: 0 });
    expect(send({ sequence: 9, logId: other })).toBe("offset 1");
    expect(send({ sequence: 1 })).toBe("offset 2");
  });
});

describe("epochs", () => {
  test("an older one is refused, a newer one begins at 0", () => {
    send({ sequence: 0, epoch: 3 });
    expect(send({ sequence: 1, epoch: 2 })).toBe(OLD_EPOCH);
    expect(send({ sequence: 1, epoch: 4 })).toBe(OUT_OF_ORDER);
    expect(send({ sequence: 0, epoch: 4 })).toBe("offset 1");
    expect(send({ sequence: 1, epoch: 3 })).toBe(OLD_EPOCH);
    expect(send({ sequence: 0, epoch: 4 })).toBe("duplicate 1/1001");
  });

  test("batches of an older epoch are not duplicates of a newer one's", () => {
    send({ sequence: 0, epoch: 1 });
    send({ sequence: 0, epoch: 2, count: 2 });
    expect(send({ sequence: 0, epoch: 2 })).toBe(OUT_OF_ORDER);
  });
});

describe("memory is bounded", () => {
  test("by partition: the longest idle producer is forgotten", () => {
    for (const producerId of [1, 2, 3]) send({ producerId, sequence: 0 });
    send({ producerId: 1, sequence: 1 });
    send({ producerId: 4, sequence: 0 });
    expect(states.sizeOf(log)).toBe(3);
    expect(states.list(log).map((producer) => producer.producerId)).toEqual([3, 1, 4]);
    expect(send({ producerId: 2, sequence: 77 })).toBe("offset 5");
  });

  test("in all: the longest idle of any partition", () => {
    for (const producerId of [1, 2, 3]) send({ producerId, sequence: 0 });
    for (const producerId of [4, 5]) send({ producerId, sequence: 0, logId: other });
    send({ producerId: 6, sequence: 0, logId: other });
    expect(states.size).toBe(5);
    expect(states.sizeOf(log)).toBe(2);
    expect(states.list(log).map((producer) => producer.producerId)).toEqual([2, 3]);
  });

  test("new limits hold from the next producer on", () => {
    states.configure({ ...limits, producersPerPartitionMax: 100, producersMax: 100 });
    for (let producerId = 0; producerId < 100; producerId += 1) send({ producerId, sequence: 0 });
    expect(states.sizeOf(log)).toBe(100);
  });

  test("by time, whether it was swept up yet or not", () => {
    send({ producerId: 1, sequence: 5, nowMs: 0 });
    send({ producerId: 2, sequence: 5, nowMs: 600 });
    expect(send({ producerId: 1, sequence: 9, nowMs: 999 })).toBe(OUT_OF_ORDER);
    expect(send({ producerId: 1, sequence: 9, nowMs: 1000 })).toBe("offset 2");
    expect(states.expire(1599)).toBe(0);
    expect(states.expire(1600)).toBe(1);
    expect(states.list(log).map((producer) => producer.producerId)).toEqual([1]);
    // What it wrote before it expired is unknown: the old sequence is not a duplicate.
    expect(send({ producerId: 1, sequence: 5, nowMs: 1700 })).toBe(OUT_OF_ORDER);
  });

  test("a log that is gone takes its producers along", () => {
    for (const producerId of [1, 2, 3]) send({ producerId, sequence: 0 });
    send({ producerId: 1, sequence: 0, logId: other });
    states.forget(log);
    expect(states.size).toBe(1);
    expect(states.list(log)).toEqual([]);
    expect(states.sizeOf(other)).toBe(1);
  });
});

describe("truncation", () => {
  test("takes the newest batches, and producers of which nothing is left", () => {
    for (let sequence = 0; sequence < 4; sequence += 1) send({ producerId: 1, sequence });
    send({ producerId: 2, sequence: 0 });
    expect(states.truncate(log, 2)).toBe(1);
    end = 2;
    expect(states.list(log)).toMatchObject([{ producerId: 1, lastSequence: 1 }]);
    expect(send({ producerId: 1, sequence: 3 })).toBe(OUT_OF_ORDER);
    expect(send({ producerId: 1, sequence: 1 })).toBe("duplicate 1/1001");
    expect(send({ producerId: 1, sequence: 2 })).toBe("offset 2");
  });
});

describe("replay", () => {
  const row = (
    baseOffset: number,
    producerId: number,
    epoch: number,
    sequence: number,
    delta = 0,
    attributes = 0,
  ): number[] => [baseOffset, delta, 5000 + baseOffset, producerId, epoch, sequence, attributes, 0];

  test("headers in the log's order give the state that the batches made", () => {
    const rows = [
      row(0, 1, 0, 0, 1),
      row(2, -1, -1, -1),
      row(3, 1, 0, 2),
      row(4, 2, 3, 40),
      row(5, 1, 1, 0),
    ];
    states.replay(log, Float64Array.from(rows.flat()), 0);
    end = 6;
    expect(states.list(log)).toMatchObject([
      { producerId: 2, producerEpoch: 3, lastSequence: 40, lastTimestamp: 5004 },
      { producerId: 1, producerEpoch: 1, lastSequence: 0, lastTimestamp: 5005 },
    ]);
    expect(send({ producerId: 1, epoch: 1, sequence: 0 })).toBe("duplicate 5/5005");
  });

  test("reading a little early changes nothing", () => {
    const headers = Float64Array.from([row(0, 1, 0, 0, 1), row(2, 1, 0, 2)].flat());
    states.replay(log, headers, 0);
    states.replay(log, headers, 0);
    end = 3;
    expect(send({ producerId: 1, sequence: 3 })).toBe("offset 3");
    expect(send({ producerId: 1, sequence: 0, count: 2 })).toBe("duplicate 0/5000");
  });

  test("a marker tells an epoch and no sequence", () => {
    const control = 0x20;
    const headers = Float64Array.from([row(0, 1, 0, 0), row(1, 1, 2, -1, 0, control)].flat());
    states.replay(log, headers, 0);
    expect(send({ producerId: 1, epoch: 1, sequence: 0 })).toBe(OLD_EPOCH);
    expect(send({ producerId: 1, epoch: 2, sequence: 5 })).toBe(OUT_OF_ORDER);
    expect(send({ producerId: 1, epoch: 2, sequence: 0 })).toBe("offset 0");
  });
});

test("an open transaction: only its own batches, and nobody forgets it", () => {
  const bytes = states.encodeSnapshot(log);
  expect(states.restoreSnapshot(log, bytes, 0)).toEqual({ ok: true, value: 0 });
  send({ producerId: 1, sequence: 0 });
  const snapshot = states.encodeSnapshot(log);
  // The first offset of the transaction is the last field of Kafka's entry.
  const view = new DataView(snapshot.buffer);
  view.setBigInt64(6 + 4 + 38, 0n);
  const reread = new ProducerStates({ ...limits, producersPerPartitionMax: 1 });
  expect(reread.restoreSnapshot(log, resealed(snapshot), 0)).toEqual({ ok: true, value: 1 });
  expect(reread.admit(log, 1, 0, 1, 0, 0)).toMatchObject({
    kind: "refuse",
    errorCode: ErrorCode.INVALID_TXN_STATE,
  });
  expect(reread.admit(log, 1, 0, 1, 0, 0, true)).toEqual({ kind: "accept" });
  expect(reread.admit(log, 2, 0, 0, 0, 0)).toMatchObject({
    kind: "refuse",
    errorCode: ErrorCode.POLICY_VIOLATION,
  });
  expect(reread.expire(1_000_000)).toBe(0);
  expect(reread.list(log)).toMatchObject([{ currentTxnStartOffset: 0 }]);
});

function resealed(bytes: Uint8Array): Uint8Array {
  const sealed = bytes.slice();
  new DataView(sealed.buffer).setUint32(2, crc32cOf(sealed.subarray(6)));
  return sealed;
}

/** CRC-32C bit by bit: not the implementation under test. */
function crc32cOf(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
