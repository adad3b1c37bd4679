import { expect, test } from "bun:test";
import { quorumValue, tally } from "../src/quorum.ts";

test("the value that a majority has reached", () => {
  const cases: [number[], number][] = [
    [[4], 4],
    [[4, 9], 4],
    [[1, 5, 9], 5],
    [[1, 5, 7, 9], 5],
    [[0, 0, 3, 4, 5], 3],
    [[], 0],
  ];
  for (const [values, expected] of cases) expect(quorumValue([...values])).toBe(expected);
});

test("exhaustively: a majority is at or above it, and at no higher value", () => {
  for (let size = 1; size <= 5; size += 1) {
    for (let code = 0; code < 4 ** size; code += 1) {
      const values = Array.from({ length: size }, (_, at) => Math.floor(code / 4 ** at) % 4);
      const found = quorumValue([...values]);
      const reached = (value: number): number => values.filter((v) => v >= value).length;
      expect(reached(found)).toBeGreaterThan(size / 2);
      expect(reached(found + 1)).toBeLessThanOrEqual(size / 2);
    }
  }
});

test("votes are won by a majority, lost when none is possible, and counted for voters only", () => {
  const count = (voters: number[], yes: number[], no: number[]): string =>
    tally(
      voters,
      new Map([...yes.map((v) => [v, true] as const), ...no.map((v) => [v, false] as const)]),
    );
  expect(count([1], [1], [])).toBe("won");
  expect(count([1, 2], [1], [])).toBe("pending");
  expect(count([1, 2], [1], [2])).toBe("lost");
  expect(count([1, 2, 3], [1], [2])).toBe("pending");
  expect(count([1, 2, 3], [1, 9, 8], [])).toBe("pending");
  expect(count([1, 2, 3, 4], [1, 2], [3, 4])).toBe("lost");
  expect(count([1, 2, 3, 4], [1, 2, 3], [])).toBe("won");
});
