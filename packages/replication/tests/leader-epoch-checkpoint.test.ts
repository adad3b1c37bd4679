import { expect, test } from "bun:test";
import { decodeLeaderEpochCheckpoint, encodeLeaderEpochCheckpoint } from "../src/index.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);

test("Kafka's text, there and back", () => {
  const entries = [
    { epoch: 0, startOffset: 0 },
    { epoch: 7, startOffset: 9_007_199_254_740_991 },
  ];
  expect(text(encodeLeaderEpochCheckpoint(entries))).toBe("0\n2\n0 0\n7 9007199254740991\n");
  expect(decodeLeaderEpochCheckpoint(encodeLeaderEpochCheckpoint(entries))).toEqual({
    ok: true,
    value: entries,
  });
  expect(decodeLeaderEpochCheckpoint(bytes("0\n0\n"))).toEqual({ ok: true, value: [] });
});

test.each([
  "",
  "1\n0\n",
  "0\nx\n",
  "0\n2\n0 0\n",
  "0\n1\n0 0",
  "0\n1\n0 0\n1 1\n",
  "0\n1\n0 -1\n",
  "0\n1\n0 0 0\n",
  "0\n1\n9999999999 0\n",
  "0\n1\n1 9999999999999999\n",
  "0\n2\n1 0\n1 5\n",
  "0\n2\n1 5\n2 4\n",
])("refuses %j", (content) => {
  expect(decodeLeaderEpochCheckpoint(bytes(content)).ok).toBe(false);
});
