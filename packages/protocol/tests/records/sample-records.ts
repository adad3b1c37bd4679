import type { Prng } from "@mantou/base";
import type { RecordInput } from "../../src/records/index.ts";

const utf8 = new TextEncoder();
export const ascii = (text: string): Uint8Array => utf8.encode(text);

const T = 1_700_000_000_000;

/** The list of records in the batches that other implementations made. */
export const goldenRecords: readonly RecordInput[] = [
  {
    timestamp: T,
    key: ascii("k0"),
    value: ascii("hello"),
    headers: [
      { key: "h1", value: ascii("v1") },
      { key: "h1", value: null },
      { key: "hé", value: new Uint8Array(0) },
    ],
  },
  { timestamp: T + 5, key: null, value: null },
  { timestamp: T - 10, key: new Uint8Array(0), value: new Uint8Array(0) },
  { timestamp: T + 1_000_000, key: ascii("k3"), value: ascii("a".repeat(300)) },
  { timestamp: T + 6, key: ascii("kü"), value: ascii("日本語") },
];

export function someBytes(prng: Prng, lengthMax: number): Uint8Array {
  return Uint8Array.from({ length: prng.below(lengthMax + 1) }, () => prng.below(256));
}

const maybeBytes = (prng: Prng, lengthMax: number): Uint8Array | null =>
  prng.chance(1, 5) ? null : someBytes(prng, lengthMax);

/** Records of every shape: nulls, empties, headers, timestamps that run backwards. */
export function someRecords(prng: Prng, countMax: number): RecordInput[] {
  return Array.from({ length: prng.between(1, countMax) }, () => ({
    timestamp: prng.chance(1, 10) ? -1 : prng.below(2 ** 31) * 1000,
    key: maybeBytes(prng, 40),
    value: maybeBytes(prng, prng.chance(1, 10) ? 3000 : 100),
    headers: Array.from({ length: prng.chance(1, 2) ? 0 : prng.below(4) }, () => ({
      key: "h".repeat(prng.below(100)),
      value: maybeBytes(prng, 20),
    })),
  }));
}

/** What decoding must give for an input at `offset`. */
export function expectedRecord(input: RecordInput, offset: number): unknown {
  return {
    offset,
    timestamp: input.timestamp ?? -1,
    key: input.key ?? null,
    value: input.value ?? null,
    headers: input.headers ?? [],
  };
}
