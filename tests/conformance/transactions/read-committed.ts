import type { Client } from "@mantou/client";

const POLL_MS = 500;

/** The values of all records that a reader of committed data sees, in order. */
export const readCommitted = async (
  client: Client,
  topic: string,
  partition: number,
): Promise<string[]> =>
  (await committedRecords(client, topic, partition)).map(({ value }) => value);

async function committedRecords(
  client: Client,
  topic: string,
  partition: number,
): Promise<{ readonly key: string; readonly value: string }[]> {
  const end = await client.admin.listOffset(topic, partition, "latest", "read_committed");
  const consumer = client.consumer({ isolation: "read_committed" });
  consumer.assign([{ topic, partition, from: 0 }]);
  const records: { key: string; value: string }[] = [];
  const decoder = new TextDecoder();
  const text = (bytes: Uint8Array | null): string => (bytes === null ? "" : decoder.decode(bytes));
  try {
    while ((consumer.position(topic, partition) ?? 0) < end.offset) {
      for (const { key, value } of await consumer.poll({ timeoutMs: POLL_MS })) {
        records.push({ key: text(key), value: text(value) });
      }
    }
  } finally {
    consumer.close();
  }
  return records;
}

/** What a word count has written: for each word its counts, in order. */
export async function readCounts(client: Client, topic: string): Promise<Map<string, number[]>> {
  const { partitions } = await client.admin.describeTopic(topic);
  const counts = new Map<string, number[]>();
  for (const { partition } of partitions) {
    for (const { key, value } of await committedRecords(client, topic, partition)) {
      const known = counts.get(key);
      if (known === undefined) counts.set(key, [Number(value)]);
      else known.push(Number(value));
    }
  }
  return counts;
}
