import { describe, expect, test } from "bun:test";
import type { ConsumedRecord } from "@mantou/client";
import { countFault, expectationOf, sampleFault } from "../src/content-check.ts";
import type { LoadReport } from "../src/loadgen.ts";

const report: LoadReport = {
  activeSeconds: 2,
  seconds: 2,
  requests: 100,
  records: 6400,
  bytes: 6_553_600,
  mbPerSecond: 3.3,
  latencyUs: { mean: 1, p50: 1, p90: 1, p99: 1, p999: 1, max: 1 },
  unanswered: 0,
  errors: {},
};
const load = { topic: "t", partitions: 2, recordBytes: 1024, connections: 2, depth: 5 };
const expected = expectationOf(report, load);

describe("the number of records", () => {
  test("all that was acknowledged, and at most what was under way on top", () => {
    expect(countFault(expected, 6400)).toBeNull();
    expect(countFault(expected, 6400 + 12 * 64)).toBeNull();
    expect(countFault(expected, 6400 - 64)).toContain("6336 are there");
    expect(countFault(expected, 6400 + 13 * 64)).toContain("at most");
  });

  test("whole batches only", () => {
    expect(countFault(expected, 6401)).toContain("whole number");
  });

  test("a run that acknowledged nothing has failed", () => {
    const nothing = expectationOf({ ...report, requests: 0, records: 0 }, load);
    expect(countFault(nothing, 0)).toContain("nothing");
  });
});

describe("a stretch of records", () => {
  const record = (offset: number, bytes: number): ConsumedRecord => ({
    topic: "t",
    partition: 1,
    offset,
    timestamp: 0,
    key: null,
    value: new Uint8Array(bytes),
    headers: [],
    leaderEpoch: 0,
  });

  test("is sound when its offsets follow each other", () => {
    expect(sampleFault([record(7, 1024), record(8, 12)], 7, 1024)).toBeNull();
  });

  test("a hole, a repetition and a wrong size are found", () => {
    expect(sampleFault([record(7, 10), record(9, 10)], 7, 1024)).toContain("offset 9 where 8");
    expect(sampleFault([record(7, 10), record(7, 10)], 7, 1024)).toContain("offset 7 where 8");
    expect(sampleFault([record(7, 9999)], 7, 1024)).toContain("9999 bytes");
  });
});
