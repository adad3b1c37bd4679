import { describe, expect, test } from "bun:test";
import { AssertionError, logId } from "@mantou/base";
import { PartitionTable } from "../src/index.ts";

const log = logId(5);
const fresh = { startOffset: 0, endOffset: 0, corruptFromOffset: null };

/** A partition that node 1 leads alone, with `endOffset` records on disk. */
function alone(endOffset = 0): PartitionTable {
  const table = new PartitionTable(1);
  table.opened(log, { ...fresh, leader: true, leaderEpoch: 3, endOffset });
  return table;
}

function offsets(table: PartitionTable): number[] {
  expect(table.checkInvariants()).toEqual([]);
  return [
    table.logStartOffset(log),
    table.highWatermark(log),
    table.durableEndOffset(log),
    table.writtenEndOffset(log),
    table.logEndOffset(log),
  ];
}

describe("one node", () => {
  test("what is on disk at start is committed", () => {
    expect(offsets(alone(10))).toEqual([0, 10, 10, 10, 10]);
    expect(alone(10).isWatermarkCurrent(log)).toBe(true);
  });

  test("records are visible when they are durable, not when they are written", () => {
    const table = alone();
    table.appended(log, 3);
    table.appended(log, 5);
    expect(offsets(table)).toEqual([0, 0, 0, 0, 5]);
    expect(table.written(log, 5)).toBe(true);
    expect(offsets(table)).toEqual([0, 0, 0, 5, 5]);
    table.take();
    expect(table.durable(log, 3)).toBe(true);
    expect(offsets(table)).toEqual([0, 3, 3, 5, 5]);
    expect(table.take().highWatermarks).toEqual([log]);
    expect(table.take().highWatermarks).toEqual([]);
  });

  test("the durable end implies the written one; late events change nothing", () => {
    const table = alone();
    table.appended(log, 4);
    table.durable(log, 4);
    table.written(log, 2);
    table.durable(log, 1);
    expect(offsets(table)).toEqual([0, 4, 4, 4, 4]);
  });

  test("events for logs that are gone say so", () => {
    const table = alone();
    table.closed(log);
    expect(table.written(log, 1)).toBe(false);
    expect(table.durable(log, 1)).toBe(false);
    expect(table.isOpen(log)).toBe(false);
    expect(table.isLeader(log)).toBe(false);
    expect(table.openCount).toBe(0);
    expect(() => table.highWatermark(log)).toThrow(AssertionError);
  });

  test("a failed log takes nothing until it is opened again, with what recovery found", () => {
    const table = alone();
    table.appended(log, 8);
    table.durable(log, 5);
    table.failed(log);
    expect(table.isFailed(log)).toBe(true);
    expect(table.isLeader(log)).toBe(true);
    expect(table.durable(log, 8)).toBe(false);
    expect(() => table.appended(log, 9)).toThrow(AssertionError);
    table.opened(log, { ...fresh, leader: true, leaderEpoch: 3, endOffset: 6 });
    expect(table.isFailed(log)).toBe(false);
    expect(offsets(table)).toEqual([0, 6, 6, 6, 6]);
    expect(table.take().lost).toEqual([]);
    expect(table.epochEntries(log)).toEqual([{ epoch: 3, startOffset: 0 }]);
  });

  test("committed records that recovery does not find are reported", () => {
    const table = alone();
    table.appended(log, 8);
    table.durable(log, 8);
    table.failed(log);
    table.opened(log, { ...fresh, leader: true, leaderEpoch: 3, endOffset: 6 });
    expect(table.take().lost).toEqual([{ logId: log, highWatermark: 8, endOffset: 6 }]);
    expect(offsets(table)).toEqual([0, 6, 6, 6, 6]);
  });

  test("deleted records move the start, and the history with it", () => {
    const table = alone(10);
    table.trimmed(log, 4);
    table.trimmed(log, 2);
    expect(offsets(table)).toEqual([4, 10, 10, 10, 10]);
    table.leadership(log, true, 4);
    table.appended(log, 12);
    table.durable(log, 12);
    table.trimmed(log, 11);
    expect(table.epochEntries(log)).toEqual([{ epoch: 4, startOffset: 11 }]);
  });

  test("a new leadership is worth a file once it has a record", () => {
    const table = alone(10);
    expect(table.take().epochs).toEqual([]);
    table.appended(log, 11);
    table.appended(log, 12);
    expect(table.take().epochs).toEqual([log]);
    table.leadership(log, true, 4);
    expect(table.take().epochs).toEqual([]);
    table.appended(log, 13);
    expect(table.take().epochs).toEqual([log]);
    expect(table.endOffsetForEpoch(log, 3)).toEqual({ epoch: 3, endOffset: 12 });
    expect(table.endOffsetForEpoch(log, 4)).toEqual({ epoch: 4, endOffset: 13 });
    expect(table.epochAt(log, 12)).toBe(4);
  });

  test("old leaderships are ignored", () => {
    const table = alone();
    table.leadership(log, false, 2);
    expect(table.isLeader(log)).toBe(true);
    table.leadership(log, false, 4);
    expect(table.isLeader(log)).toBe(false);
    expect(table.leaderEpoch(log)).toBe(4);
    expect(() => table.appended(log, 1)).toThrow(AssertionError);
  });

  test("a history from another life does not outrank the controller", () => {
    const table = new PartitionTable(1);
    const epochs = [
      { epoch: 1, startOffset: 0 },
      { epoch: 9, startOffset: 4 },
      { epoch: 2, startOffset: 50 },
    ];
    table.opened(log, { ...fresh, leader: true, leaderEpoch: 3, endOffset: 10, epochs });
    expect(table.epochEntries(log)).toEqual([
      { epoch: 1, startOffset: 0 },
      { epoch: 3, startOffset: 10 },
    ]);
  });

  test("ids of closed logs are not used again, their places are", () => {
    const table = new PartitionTable(1);
    for (let id = 0; id < 1000; id += 1) {
      table.opened(logId(id), { ...fresh, leader: true, leaderEpoch: 0, endOffset: id });
      expect(table.highWatermark(logId(id))).toBe(id);
      if (id % 3 !== 0) table.closed(logId(id));
    }
    expect(table.openCount).toBe(334);
    expect(table.isOpen(logId(1))).toBe(false);
    expect(table.highWatermark(logId(999))).toBe(999);
    expect(table.checkInvariants()).toEqual([]);
  });
});

describe("a leader with followers", () => {
  const members = (isr: number[], partitionEpoch: number) => ({
    replicas: [1, 2, 3],
    isr,
    partitionEpoch,
  });

  function leading(isr: number[]): PartitionTable {
    const table = new PartitionTable(1, { replicaLagMaxMs: 100 });
    const membership = members(isr, 0);
    table.opened(log, { ...fresh, leader: true, leaderEpoch: 1, membership });
    table.appended(log, 10);
    table.durable(log, 10);
    return table;
  }

  test("the slowest durable end in the in-sync set counts", () => {
    const table = leading([1, 2, 3]);
    expect(table.highWatermark(log)).toBe(0);
    table.fetched(log, 2, 10, 7, 0);
    table.fetched(log, 3, 10, 4, 0);
    expect(table.highWatermark(log)).toBe(4);
    table.fetched(log, 3, 10, 10, 0);
    expect(table.highWatermark(log)).toBe(7);
    expect(table.inSyncCount(log)).toBe(3);
  });

  test("what was fetched and is not durable does not count", () => {
    const table = leading([1, 2]);
    table.fetched(log, 2, 10, 0, 0);
    expect(table.highWatermark(log)).toBe(0);
  });

  test("the leader's own disk counts too", () => {
    const table = leading([1, 2]);
    table.appended(log, 20);
    table.fetched(log, 2, 20, 20, 0);
    expect(table.highWatermark(log)).toBe(10);
  });

  test("a follower that has everything is proposed, and counts from then on", () => {
    const table = leading([1]);
    expect(table.highWatermark(log)).toBe(10);
    table.fetched(log, 2, 9, 9, 0);
    expect(table.take().isrChanges).toEqual([]);
    table.fetched(log, 2, 10, 10, 0);
    const change = { logId: log, isr: [1, 2], leaderEpoch: 1, partitionEpoch: 0 };
    expect(table.take().isrChanges).toEqual([change]);
    table.appended(log, 12);
    table.durable(log, 12);
    expect(table.highWatermark(log)).toBe(10);
    expect(table.inSyncCount(log)).toBe(1);
    table.fetched(log, 3, 12, 12, 0);
    expect(table.take().isrChanges).toEqual([]);
    table.leadership(log, true, 1, members([1, 2], 1));
    expect(table.inSyncCount(log)).toBe(2);
    table.fetched(log, 2, 12, 12, 0);
    expect(table.highWatermark(log)).toBe(12);
  });

  test("whoever lacks what was there when the leadership began may lack what others have seen", () => {
    const table = new PartitionTable(1);
    const membership = members([1, 2], 0);
    table.opened(log, { ...fresh, leader: true, leaderEpoch: 4, endOffset: 10, membership });
    expect(table.highWatermark(log)).toBe(0);
    expect(table.isWatermarkCurrent(log)).toBe(false);
    table.fetched(log, 3, 9, 9, 0);
    expect(table.take().isrChanges).toEqual([]);
    table.fetched(log, 2, 10, 10, 0);
    expect(table.isWatermarkCurrent(log)).toBe(true);
    table.fetched(log, 3, 10, 10, 0);
    expect(table.take().isrChanges).toMatchObject([{ isr: [1, 2, 3] }]);
  });

  test("a refused proposal no longer counts", () => {
    const table = leading([1]);
    table.fetched(log, 2, 10, 10, 0);
    table.appended(log, 12);
    table.durable(log, 12);
    expect(table.highWatermark(log)).toBe(10);
    const [change] = table.take().isrChanges;
    if (change === undefined) throw new Error("nothing was proposed");
    table.isrRefused({ ...change, partitionEpoch: 9 });
    expect(table.highWatermark(log)).toBe(10);
    table.isrRefused(change);
    expect(table.highWatermark(log)).toBe(12);
  });

  test("who lags for too long is proposed to leave, and holds the mark until it has", () => {
    const table = leading([1, 2, 3]);
    table.fetched(log, 2, 10, 10, 50);
    table.fetched(log, 3, 5, 5, 50);
    table.tick(90);
    expect(table.take().isrChanges).toEqual([]);
    table.fetched(log, 2, 10, 10, 140);
    table.tick(150);
    const change = { logId: log, isr: [1, 2], leaderEpoch: 1, partitionEpoch: 0 };
    expect(table.take().isrChanges).toEqual([change]);
    table.tick(200);
    expect(table.take().isrChanges).toEqual([]);
    expect(table.highWatermark(log)).toBe(5);
    table.leadership(log, true, 1, members([1, 2], 1), 210);
    expect(table.highWatermark(log)).toBe(10);
  });

  test("a follower under steady load that keeps a constant distance is current", () => {
    const table = leading([1, 2]);
    for (let ms = 0; ms < 1000; ms += 10) {
      table.appended(log, 20 + ms);
      table.durable(log, 20 + ms);
      table.fetched(log, 2, 15 + ms, 5 + ms, ms);
      table.tick(ms);
    }
    expect(table.take().isrChanges).toEqual([]);
  });

  test("strangers do not count", () => {
    const table = leading([1]);
    table.fetched(log, 9, 10, 10, 0);
    expect(table.take().isrChanges).toEqual([]);
  });

  test("a follower believes the leader as far as its own disk goes", () => {
    const table = new PartitionTable(2);
    const membership = members([1, 2, 3], 0);
    table.opened(log, { ...fresh, leader: false, leaderEpoch: 1, membership });
    table.replicated(log, 0, 10, 1);
    table.leaderWatermark(log, 8);
    expect(table.highWatermark(log)).toBe(0);
    table.durable(log, 6);
    table.leaderWatermark(log, 8);
    expect(table.highWatermark(log)).toBe(6);
    expect(() => table.truncated(log, 5)).toThrow(AssertionError);
    table.truncated(log, 7);
    expect(offsets(table)).toEqual([0, 6, 6, 6, 7]);
  });
});
