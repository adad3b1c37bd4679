import { expect, test } from "bun:test";
import { Progress } from "../src/progress.ts";

function replicating(match: number): Progress {
  const progress = new Progress(match + 1, 0);
  progress.accepted(match);
  progress.becomeReplicate();
  return progress;
}

test("probe: one message, no pipelining, and backwards by the hint", () => {
  const progress = new Progress(10, 0);
  progress.sent(3, 30);
  expect([progress.probeSent, progress.next, progress.inflightCount]).toEqual([true, 10, 0]);
  expect(progress.rejected(8, 4)).toBe(false);
  expect(progress.rejected(9, 4)).toBe(true);
  expect([progress.next, progress.probeSent]).toEqual([4, false]);
  // Always backwards, whatever the hint says, and never below what matches.
  expect(progress.rejected(3, 9)).toBe(true);
  expect(progress.next).toBe(3);
  progress.accepted(1);
  expect(progress.rejected(2, 0)).toBe(true);
  expect(progress.next).toBe(2);
});

test("replicate: the pipeline moves next, is bounded by count and bytes, and freed by answers", () => {
  const progress = replicating(0);
  progress.sent(2, 50);
  progress.sent(1, 50);
  expect([progress.next, progress.inflightCount]).toEqual([4, 2]);
  expect([progress.isFull(2, 1_000), progress.isFull(3, 100), progress.isFull(3, 101)]).toEqual([
    true,
    true,
    false,
  ]);
  progress.sent(0, 0);
  expect(progress.inflightCount).toBe(2);
  progress.accepted(2);
  expect([progress.match, progress.inflightCount, progress.isFull(3, 100)]).toEqual([2, 1, false]);
  // An old answer changes nothing.
  progress.accepted(1);
  expect([progress.match, progress.next]).toEqual([2, 4]);
});

test("replicate: a rejection behind what matches goes back to it; an older one is old news", () => {
  const progress = replicating(5);
  progress.sent(4, 10);
  expect(progress.rejected(5, 0)).toBe(false);
  expect(progress.state).toBe("replicate");
  expect(progress.rejected(9, 0)).toBe(true);
  expect([progress.state, progress.next, progress.inflightCount]).toEqual(["probe", 6, 0]);
});

test("snapshot: nothing is rejected, and leaving it forgets which one", () => {
  const progress = new Progress(10, 0);
  progress.becomeSnapshot(8, 300);
  expect(progress.rejected(9, 3)).toBe(false);
  expect(progress.snapshotIndex).toBe(8);
  progress.accepted(8);
  progress.becomeReplicate();
  expect([progress.state, progress.next, progress.snapshotIndex]).toEqual(["replicate", 9, 0]);
});
