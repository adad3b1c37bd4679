import { expect, test } from "bun:test";
import { murmur2, partitionForKey } from "../src/partitioner.ts";

/** From `Utils.murmur2` of Apache's kafka-clients 4.3.0. */
const vectors: readonly (readonly [string, number])[] = [
  ["", 275646681],
  ["a", -1563381124],
  ["ab", 316155434],
  ["abc", 479470107],
  ["abcd", -1323649548],
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["日本語", 1431860170],
];

test("hashes and partitions are those of Java's client", () => {
  for (const [text, hash] of vectors) {
    const key = new TextEncoder().encode(text);
    expect(murmur2(key), text).toBe(hash);
    for (const partitions of [1, 3, 10, 1000]) {
      expect(partitionForKey(key, partitions)).toBe((hash & 0x7fffffff) % partitions);
    }
  }
});
