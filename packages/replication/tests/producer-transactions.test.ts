import { describe, expect, test } from "bun:test";
import { Prng, logId } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { AbortedTransaction, Marker } from "../src/index.ts";
import { HEADER_ROW_DOUBLES, ProducerStates } from "../src/index.ts";

const log = logId(4);
const limits = { producersPerPartitionMax: 50, producersMax: 50, producerIdExpirationMs: 1e9 };
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

interface Entry {
  readonly producerId: number;
  readonly kind: "plain" | "data" | "unsequenced" | "commit" | "abort";
  readonly offset: number;
  readonly count: number;
  readonly sequence: number;
}

interface Ended {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly marker: number;
  readonly isAborted: boolean;
}

/** What transactions are in a log, by reading all of it. */
function readAll(entries: readonly Entry[]): { open: Map<number, number>; ended: Ended[] } {
  const open = new Map<number, number>();
  const ended: Ended[] = [];
  for (const { kind, offset, producerId } of entries) {
    if (kind === "plain") continue;
    if (kind === "data" || kind === "unsequenced") {
      if (!open.has(producerId)) open.set(producerId, offset);
      continue;
    }
    const firstOffset = open.get(producerId);
    open.delete(producerId);
    if (firstOffset === undefined) continue;
    ended.push({ producerId, firstOffset, marker: offset, isAborted: kind === "abort" });
  }
  return { open, ended };
}

function stableOffset(entries: readonly Entry[], highWatermark: number): number {
  const { ended, open } = readAll(entries);
  const undecided = ended.filter(({ marker }) => marker >= highWatermark);
  return Math.min(
    highWatermark,
    ...open.values(),
    ...undecided.map(({ firstOffset }) => firstOffset),
  );
}

/** A partition as its leader keeps it, and all of its batches beside. */
class Partition {
  states = new ProducerStates(limits);
  entries: Entry[] = [];
  end = 0;
  start = 0;
  highWatermark = 0;
  private sequences = new Map<number, number>();

  write(producerId: number, kind: "plain" | "data" | "unsequenced", count: number): void {
    const sequence = kind === "data" ? (this.sequences.get(producerId) ?? 0) : -1;
    const entry = { producerId, kind, offset: this.end, count, sequence };
    this.entries.push(entry);
    this.end += count;
    if (kind === "data") {
      this.sequences.set(producerId, sequence + count);
      this.states.record(log, producerId, 0, sequence, count - 1, entry.offset, 1, 0, true);
    } else if (kind === "unsequenced") {
      this.states.recordUnsequenced(log, producerId, 0, entry.offset, 0);
    }
  }

  mark(producerId: number, isCommit: boolean): void {
    const offset = this.end++;
    this.entries.push(markerEntry(producerId, isCommit, offset));
    this.states.recordMarker(log, markerOf(producerId, isCommit), offset, this.highWatermark, 0);
  }

  truncate(end: number): void {
    this.entries = this.entries.filter(({ offset }) => offset < end);
    const last = this.entries.at(-1);
    this.end = last === undefined ? this.start : last.offset + last.count;
    this.states.truncate(log, this.end);
    this.sequences.clear();
    for (const { kind, producerId, sequence, count } of this.entries) {
      if (kind === "data") this.sequences.set(producerId, sequence + count);
    }
  }

  trim(start: number): void {
    this.start = start;
    this.states.trim(log, start);
  }

  /** A new life: a snapshot of some moment, and the batches behind it. */
  reload(snapshot: Uint8Array | null, from: number): void {
    this.states = new ProducerStates(limits);
    if (snapshot !== null) expect(this.states.restoreSnapshot(log, snapshot, 0).ok).toBe(true);
    const behind = this.entries.filter(({ offset }) => offset >= from);
    const rows = new Float64Array(behind.length * HEADER_ROW_DOUBLES);
    for (const [index, entry] of behind.entries()) rows.set(rowOf(entry), index * 8);
    const markers = new Map(
      behind
        .filter(({ kind }) => kind === "commit" || kind === "abort")
        .map(({ kind, offset, producerId }) => [offset, markerOf(producerId, kind === "commit")]),
    );
    this.states.replay(log, rows, 0, (at) => markers.get(at) ?? null);
  }
}

const markerEntry = (producerId: number, isCommit: boolean, offset: number): Entry => ({
  producerId,
  kind: isCommit ? "commit" : "abort",
  offset,
  count: 1,
  sequence: -1,
});

const markerOf = (producerId: number, isCommit: boolean, producerEpoch = 0): Marker => ({
  producerId,
  producerEpoch,
  coordinatorEpoch: 0,
  isCommit,
});

function rowOf({ count, kind, offset, producerId, sequence }: Entry): number[] {
  const isPlain = kind === "plain";
  const bits = isPlain ? 0 : TRANSACTIONAL | (kind === "commit" || kind === "abort" ? CONTROL : 0);
  return [offset, count - 1, 1, isPlain ? -1 : producerId, isPlain ? -1 : 0, sequence, bits, 0];
}

function compare(partition: Partition, prng: Prng): void {
  const { end, entries, highWatermark, start, states } = partition;
  const stable = states.lastStableOffset(log, highWatermark);
  const plain = Math.max(stableOffset(entries, highWatermark), Math.min(start, highWatermark));
  expect(stable).toBe(plain);
  const from = start + prng.below(Math.max(stable - start, 1));
  const limit = from + prng.below(end - from + 2);
  const countMax = 1 + prng.below(4);
  const given = states.abortedIn(log, from, limit, countMax);
  const end2 = given?.limit ?? limit;
  expect(end2).toBeLessThanOrEqual(limit);
  if (limit > from) expect(end2).toBeGreaterThan(from);
  const expected = readAll(entries).ended.filter(
    (one) => one.isAborted && one.marker >= from && one.firstOffset < end2,
  );
  const named = (list: readonly AbortedTransaction[]): string[] =>
    list.map(({ firstOffset, producerId }) => `${producerId}@${firstOffset}`).sort();
  expect(named(given?.transactions ?? [])).toEqual(named(expected));
}

test("the last stable offset and aborted ranges are those of a plain reading, whatever happens", () => {
  const seed = Number(process.env["MANTOU_SEED"] ?? 7);
  for (let run = 0; run < 150; run += 1) {
    const prng = new Prng(seed * 1000 + run);
    const partition = new Partition();
    let snapshot: Uint8Array | null = null;
    let snapshotEnd = 0;
    try {
      for (let step = 0; step < 120; step += 1) {
        const producerId = 1 + prng.below(6);
        const choice = prng.below(100);
        if (choice < 30) partition.write(producerId, "data", 1 + prng.below(3));
        else if (choice < 36) partition.write(producerId, "plain", 1 + prng.below(3));
        else if (choice < 40) partition.write(100 + producerId, "unsequenced", 1);
        else if (choice < 60) partition.mark(producerId, prng.below(2) === 0);
        else if (choice < 64) partition.mark(100 + producerId, prng.below(2) === 0);
        else if (choice < 80) {
          const { end, highWatermark } = partition;
          partition.highWatermark = highWatermark + prng.below(end - highWatermark + 1);
        } else if (choice < 84) {
          const { end, highWatermark } = partition;
          partition.truncate(highWatermark + prng.below(end - highWatermark + 1));
          if (partition.end < snapshotEnd) snapshot = null;
          if (snapshot === null) snapshotEnd = 0;
          // A truncated log is read again from a snapshot; memory alone must tell the same.
          partition.highWatermark = Math.min(partition.highWatermark, partition.end);
        } else if (choice < 90) {
          snapshot = partition.states.encodeSnapshot(log);
          snapshotEnd = partition.end;
        } else if (choice < 95) {
          partition.reload(snapshot, snapshotEnd);
          if (partition.start > 0) partition.states.trim(log, partition.start);
        } else {
          const { highWatermark, start } = partition;
          partition.trim(start + prng.below(Math.max(highWatermark - start, 0) + 1));
        }
        compare(partition, prng);
      }
    } catch (error) {
      throw new Error(`seed ${seed}, run ${run}`, { cause: error });
    }
  }
});

describe("markers", () => {
  const begun = (epoch = 3): ProducerStates => {
    const states = new ProducerStates(limits);
    states.record(log, 9, epoch, 0, 0, 0, 1, 0, true);
    return states;
  };
  const refused = (errorCode: ErrorCode) => ({ kind: "refuse", errorCode }) as const;

  test("of an older epoch or an older coordinator are fenced", () => {
    const states = begun();
    expect(states.judgeMarker(log, markerOf(9, true, 2), 0)).toEqual(
      refused(ErrorCode.INVALID_PRODUCER_EPOCH),
    );
    states.recordMarker(log, { ...markerOf(9, true, 3), coordinatorEpoch: 5 }, 1, 0, 0);
    states.record(log, 9, 4, 0, 0, 2, 1, 0, true);
    expect(states.judgeMarker(log, { ...markerOf(9, true, 4), coordinatorEpoch: 4 }, 0)).toEqual(
      refused(ErrorCode.TRANSACTION_COORDINATOR_FENCED),
    );
    expect(states.judgeMarker(log, { ...markerOf(9, true, 4), coordinatorEpoch: 5 }, 0)).toEqual({
      kind: "accept",
    });
  });

  test("of the new flow end what has a lower epoch, never what comes behind them", () => {
    const states = begun();
    expect(states.judgeMarker(log, markerOf(9, false, 4), 2)).toEqual({ kind: "accept" });
    states.recordMarker(log, markerOf(9, false, 4), 1, 0, 0);
    expect(states.judgeMarker(log, markerOf(9, false, 4), 2)).toEqual({ kind: "done" });
    states.record(log, 9, 4, 0, 0, 2, 1, 0, true);
    expect(states.judgeMarker(log, markerOf(9, false, 4), 2)).toEqual(
      refused(ErrorCode.INVALID_PRODUCER_EPOCH),
    );
    expect(states.isInTransaction(log, 9, 4)).toBe(true);
  });

  test("of the old flow are written once", () => {
    const states = begun();
    expect(states.judgeMarker(log, markerOf(9, true, 3), 0)).toEqual({ kind: "accept" });
    states.recordMarker(log, markerOf(9, true, 3), 1, 0, 0);
    expect(states.judgeMarker(log, markerOf(9, true, 3), 0)).toEqual({ kind: "done" });
    expect(states.admit(log, 9, 3, 1, 0, 0, true)).toEqual({ kind: "accept" });
  });

  test("of an unknown producer are written: their epoch fences whoever comes late", () => {
    const states = new ProducerStates(limits);
    expect(states.judgeMarker(log, markerOf(9, false, 7), 2)).toEqual({ kind: "accept" });
    states.recordMarker(log, markerOf(9, false, 7), 0, 0, 0);
    expect(states.admit(log, 9, 6, 0, 0, 0, true)).toMatchObject(
      refused(ErrorCode.INVALID_PRODUCER_EPOCH),
    );
  });
});

test("the new flow begins with sequence 0, also where the producer is unknown", () => {
  const states = new ProducerStates(limits);
  const outOfOrder = { kind: "refuse", errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER };
  expect(states.admit(log, 1, 0, 5, 0, 0, true, true)).toMatchObject(outOfOrder);
  expect(states.admit(log, 1, 0, 5, 0, 0, true, false)).toEqual({ kind: "accept" });
  expect(states.admit(log, 1, 0, 0, 0, 0, true, true)).toEqual({ kind: "accept" });
});
