import { expect, test } from "bun:test";
import {
  type CompactionInput,
  decodeCleanerCheckpoint,
  encodeCleanerCheckpoint,
  planCompaction,
} from "../src/index.ts";

const segment = (baseOffset: number, bytes: number, largestTimestamp: number) => ({
  baseOffset,
  bytes,
  largestTimestamp,
});

const input = (change: Partial<CompactionInput> = {}): CompactionInput => ({
  segments: [segment(0, 100, 10), segment(10, 300, 20), segment(20, 100, 30), segment(30, 50, 40)],
  logStartOffset: 0,
  lastStableOffset: 35,
  cleanEndOffset: null,
  firstDirtyTimestamp: null,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  nowMs: 1000,
  ...change,
});

test("a log that was never cleaned is dirty up to the segment that is written to", () => {
  expect(planCompaction(input())).toEqual({
    firstDirtyOffset: 0,
    limit: 30,
    dirtyRatio: 1,
    isOverdue: false,
  });
});

test("what was cleaned counts as clean, in bytes", () => {
  const plan = planCompaction(input({ cleanEndOffset: 20 }));
  expect(plan).toMatchObject({ firstDirtyOffset: 20, limit: 30, dirtyRatio: 0.2 });
  // A run that stopped inside of a segment leaves all of that segment to be looked at again.
  const inside = planCompaction(input({ cleanEndOffset: 15 }));
  expect(inside).toMatchObject({ firstDirtyOffset: 15, dirtyRatio: 0.8 });
  expect(planCompaction(input({ cleanEndOffset: 30 }))).toMatchObject({ dirtyRatio: 0 });
});

test("a note that does not fit the log is not believed", () => {
  expect(planCompaction(input({ cleanEndOffset: 31 })).firstDirtyOffset).toBe(0);
  const trimmed = input({ cleanEndOffset: 5, logStartOffset: 12 });
  expect(planCompaction(trimmed).firstDirtyOffset).toBe(12);
});

test("nothing at or above the last stable offset, nothing too young", () => {
  expect(planCompaction(input({ lastStableOffset: 14 })).limit).toBe(14);
  expect(planCompaction(input({ lastStableOffset: 0 }))).toMatchObject({ limit: 0, dirtyRatio: 0 });
  const young = planCompaction(input({ minCompactionLagMs: 981 }));
  expect(young).toMatchObject({ limit: 10, dirtyRatio: 1 });
  expect(planCompaction(input({ minCompactionLagMs: 970 })).limit).toBe(30);
});

test("what is older than the longest lag is overdue", () => {
  const maxCompactionLagMs = 900;
  const old = { maxCompactionLagMs, firstDirtyTimestamp: 99 };
  expect(planCompaction(input({ ...old, cleanEndOffset: 20 })).isOverdue).toBe(true);
  expect(planCompaction(input({ ...old, cleanEndOffset: 30 })).isOverdue).toBe(false);
  expect(planCompaction(input({ maxCompactionLagMs, firstDirtyTimestamp: 100 })).isOverdue).toBe(
    false,
  );
});

test("a log without data has nothing to clean", () => {
  expect(planCompaction(input({ segments: [], lastStableOffset: 0 }))).toMatchObject({
    limit: 0,
    dirtyRatio: 0,
  });
});

test("the checkpoint is Kafka's, and says what is wrong with it", () => {
  const entries = [
    { topic: "a.b", partition: 0, offset: 12 },
    { topic: "__consumer_offsets", partition: 49, offset: 2 ** 53 - 1 },
  ];
  const bytes = encodeCleanerCheckpoint(entries);
  expect(new TextDecoder().decode(bytes)).toBe(
    "0\n2\na.b 0 12\n__consumer_offsets 49 9007199254740991\n",
  );
  expect(decodeCleanerCheckpoint(bytes)).toEqual({ ok: true, value: entries });
  const fault = (text: string): boolean =>
    decodeCleanerCheckpoint(new TextEncoder().encode(text)).ok;
  expect(fault("0\n0\n")).toBe(true);
  for (const bad of ["", "1\n0\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na 0 -1\n", "0\nx\n"]) {
    expect([bad, fault(bad)]).toEqual([bad, false]);
  }
});
