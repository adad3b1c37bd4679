import { expect, test } from "bun:test";
import { LineLimit } from "../src/line-limit.ts";

test("so many lines a second, and the next one tells of those that were held back", () => {
  const limit = new LineLimit(2);
  expect([0, 1, 2, 3, 999].map((ms) => limit.take(ms))).toEqual([0, 0, -1, -1, -1]);
  expect([1000, 1001, 1002].map((ms) => limit.take(ms))).toEqual([3, 0, -1]);
  expect(limit.take(50_000)).toBe(1);
  expect(limit.take(50_000)).toBe(0);
});
