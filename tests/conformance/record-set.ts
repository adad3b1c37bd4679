import { Prng } from "@mantou/base";
import type { DriverRecord, ReadRecord } from "./driver-process.ts";

export const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString("base64");

/** Bytes of a value that fits into a batch of `max.message.bytes` (1 MiB + 12) with some room. */
export const LARGE_VALUE_BYTES = 1_000_000;
/** And one that does not, whatever the codec makes of it: the bytes are random. */
export const TOO_LARGE_VALUE_BYTES = 1_200_000;

export function randomBytes(seed: number, length: number): Uint8Array {
  const prng = new Prng(seed);
  return Uint8Array.from({ length }, () => prng.below(256));
}

export const record = (
  partition: number,
  key: string | null,
  value: string | null,
  timestamp: number,
  headers: DriverRecord["headers"] = [],
): DriverRecord => ({ partition, key, value, headers, timestamp });

/**
 * What every client must bring through unchanged: nulls, empties, unicode, binary, headers with
 * the same name twice, timestamps that go back, and many small records in one batch.
 */
export function recordSet(
  partition: number,
  timestamp: number,
  seed: number,
  nullHeaders: boolean,
): DriverRecord[] {
  const of = (
    key: string | Uint8Array | null,
    value: string | Uint8Array | null,
    at: number,
    headers?: DriverRecord["headers"],
  ): DriverRecord =>
    record(
      partition,
      key === null ? null : base64(key),
      value === null ? null : base64(value),
      at,
      headers,
    );
  const records = [
    of("key", "value", timestamp),
    of(null, "no key", timestamp + 1),
    of("tombstone", null, timestamp + 2),
    of(null, null, timestamp + 2),
    of("", "", timestamp + 3),
    of("schlüssel ✓", "wert 馒头 🥟", timestamp - 500),
    of(randomBytes(seed, 64), randomBytes(seed + 1, 4096), timestamp),
    of("headers", "x", timestamp + 4, [
      ["trace", base64("abc")],
      ["empty", ""],
      ["ünïcode", base64(randomBytes(seed + 2, 16))],
    ]),
    of("a header twice", "x", timestamp + 4, [
      ["again", base64("first")],
      ["again", base64("second")],
    ]),
  ];
  if (nullHeaders) records.push(of("null header", "x", timestamp, [["none", null]]));
  for (let index = 0; index < 200; index += 1) {
    records.push(of(`k${index}`, `v${index}`.repeat(20), timestamp + 10));
  }
  return records;
}

/** Many small records over two partitions, for order across batches. */
export function longRecordSet(count: number, timestamp: number, seed: number): DriverRecord[] {
  const prng = new Prng(seed);
  return Array.from({ length: count }, (_, index) => {
    const value = `${index} ${"x".repeat(prng.below(200))}`;
    return record(index % 2, base64(`k${index}`), base64(value), timestamp + index);
  });
}

/** The records of a partition as they read, from `offset` on. */
export function readsAs(
  records: readonly DriverRecord[],
  partition: number,
  offset = 0,
): ReadRecord[] {
  return records
    .filter((one) => one.partition === partition)
    .map(({ timestamp, key, value, headers }, index) => {
      const at = { offset: offset + index };
      return { ...at, timestamp, key, value, headers };
    });
}
