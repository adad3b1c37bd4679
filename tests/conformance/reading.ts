import { Client } from "@mantou/client";
import type { ReadRecord } from "./driver-process.ts";
import { base64 } from "./record-set.ts";

const DEADLINE_MS = 30_000;

/**
 * Reads a partition from its start with our own client, which checks every CRC. On a connection of
 * its own: a fetch that waits would hold back what is asked behind it.
 */
export async function readOurs(
  address: string,
  topic: string,
  partition: number,
  count: number,
): Promise<ReadRecord[]> {
  const client = await Client.connect({ brokers: address });
  const consumer = client.consumer({ partitionBytesMax: 8_000_000 });
  consumer.assign([{ topic, partition, from: 0 }]);
  const found: ReadRecord[] = [];
  const deadlineMs = performance.now() + DEADLINE_MS;
  const encode = (bytes: Uint8Array | null) => (bytes === null ? null : base64(bytes));
  while (found.length < count && performance.now() < deadlineMs) {
    for (const one of await consumer.poll({ timeoutMs: 500 })) {
      found.push({
        offset: one.offset,
        timestamp: one.timestamp,
        key: encode(one.key),
        value: encode(one.value),
        headers: one.headers.map(({ key, value }) => [key, encode(value)] as const),
      });
    }
  }
  client.abort();
  return found;
}
