import { Prng } from "@mantou/base";
import type { DriverRecord } from "./clients.ts";

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const text = (value: string): string => base64(new TextEncoder().encode(value));

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
  const records = [
    record(partition, text("key"), text("value"), timestamp),
    record(partition, null, text("no key"), timestamp + 1),
    record(partition, text("tombstone"), null, timestamp + 2),
    record(partition, "", "", timestamp + 3),
    record(partition, text("schlüssel ✓"), text("wert 馒头 🥟"), timestamp - 500),
    record(
      partition,
      base64(randomBytes(seed, 64)),
      base64(randomBytes(seed + 1, 4096)),
      timestamp,
    ),
    record(partition, text("headers"), text("x"), timestamp + 4, [
      ["trace", text("abc")],
      ["empty", ""],
      ["ünïcode", base64(randomBytes(seed + 2, 16))],
    ]),
  ];
  if (nullHeaders) {
    records.push(record(partition, text("null header"), text("x"), timestamp, [["none", null]]));
  }
  for (let index = 0; index < 200; index += 1) {
    records.push(
      record(partition, text(`k${index}`), text(`v${index}`.repeat(20)), timestamp + 10),
    );
  }
  return records;
}
