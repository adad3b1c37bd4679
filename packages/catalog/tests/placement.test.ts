import { describe, expect, test } from "bun:test";
import { placeReplicas } from "../src/placement.ts";

function countBy(values: Iterable<number>): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

describe("placeReplicas", () => {
  test("replicas of a partition are on different brokers, for every shape", () => {
    for (let nodes = 1; nodes <= 6; nodes += 1) {
      const nodeIds = Array.from({ length: nodes }, (_, index) => index + 10);
      for (let factor = 1; factor <= nodes; factor += 1) {
        for (const start of [0, 1, 7]) {
          const placed = placeReplicas(nodeIds, 50, factor, start);
          expect(placed.length).toBe(50 * factor);
          for (let at = 0; at < placed.length; at += factor) {
            const replicas = placed.subarray(at, at + factor);
            expect(new Set(replicas).size).toBe(factor);
            expect(replicas.every((node) => nodeIds.includes(node))).toBe(true);
          }
        }
      }
    }
  });

  test("leaders and replicas are spread evenly", () => {
    const placed = placeReplicas([1, 2, 3, 4], 48, 3, 5);
    expect([...countBy(placed.filter((_, index) => index % 3 === 0)).values()]).toEqual([
      12, 12, 12, 12,
    ]);
    expect([...countBy(placed).values()]).toEqual([36, 36, 36, 36]);
  });

  test("the followers of one leader are spread over the others", () => {
    const placed = placeReplicas([1, 2, 3, 4], 120, 2, 0);
    const followersOfFirst: number[] = [];
    for (let at = 0; at < placed.length; at += 2) {
      if (placed[at] === 1) followersOfFirst.push(placed[at + 1] as number);
    }
    expect(countBy(followersOfFirst)).toEqual(
      new Map([
        [2, 10],
        [3, 10],
        [4, 10],
      ]),
    );
  });
});
