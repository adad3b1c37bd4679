import type { RecordInput } from "@mantou/protocol";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const T = 1_700_000_000_000;

/** The list of records in the batches that other implementations made (see fixtures). */
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

/** What decoding them must give, with offsets from `base`. */
export const expectedRecords = (base: number): object[] =>
  goldenRecords.map((record, index) => ({
    offset: base + index,
    timestamp: record.timestamp,
    key: record.key,
    value: record.value,
    headers: record.headers ?? [],
  }));
