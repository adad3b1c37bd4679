import { expect, test } from "bun:test";
import { highestBucket, stallsIn } from "../src/metrics.ts";

const histogram = (name: string, counts: readonly (readonly [string, number])[]): string =>
  counts.map(([bound, count]) => `${name}_bucket{le="${bound}"} ${count}\n`).join("");

test("the highest bucket is the last one that adds to the count", () => {
  const text = histogram("a_seconds", [
    ["0.001", 5],
    ["0.01", 7],
    ["0.1", 7],
    ["+Inf", 7],
  ]);
  expect(highestBucket(text, "a_seconds")).toBe(0.01);
  expect(highestBucket(text, "b_seconds")).toBeNull();
});

test("what is beyond the last bound counts as that, and nothing as nothing", () => {
  const beyond = histogram("a_seconds", [
    ["0.001", 1],
    ["0.5", 2],
    ["+Inf", 3],
  ]);
  expect(highestBucket(beyond, "a_seconds")).toBe(0.5);
  const empty = histogram("a_seconds", [
    ["0.001", 0],
    ["+Inf", 0],
  ]);
  expect(highestBucket(empty, "a_seconds")).toBeNull();
});

test("stalls are told in milliseconds, as far as they are known", () => {
  const text =
    histogram("mantou_tick_duration_seconds", [["0.025", 3]]) +
    histogram("mantou_gc_stretch_seconds", [["0.005", 1]]);
  expect(stallsIn(text)).toEqual({ tickMs: 25, gcStretchMs: 5 });
});
