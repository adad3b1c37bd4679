import { expect, test } from "bun:test";
import { median, ratio, spread } from "../src/statistics.ts";

test("the median is the middle, or the mean of the two middle values", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([10, 1, 2, 3])).toBe(2.5);
  expect(median([7])).toBe(7);
  expect(() => median([])).toThrow();
});

test("a spread tells median, ends and count, and null of nothing", () => {
  expect(spread([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5, count: 3 });
  expect(spread([])).toBeNull();
});

test("a ratio divides medians, and its range comes from neighbours", () => {
  // The machine became half as fast: medians and pairs agree that ours is twice theirs.
  expect(ratio([200, 100], [100, 50])).toEqual({ ratio: 2, min: 2, max: 2, pairs: 2 });
  expect(ratio([3, 9, 6], [1, 2])).toEqual({ ratio: 4, min: 3, max: 4.5, pairs: 2 });
});

test("there is no ratio to nothing", () => {
  expect(ratio([], [1])).toBeNull();
  expect(ratio([1], [])).toBeNull();
  expect(ratio([1], [0])).toBeNull();
});
