import { Client, codecs, type Connection } from "@mantou/client";
import { decodeBatches, type DecodedBatch, ErrorCode, fetchApi, type Span } from "@mantou/protocol";
import type { ReadRecord } from "./driver-process.ts";
import { base64 } from "./record-set.ts";

/**
 * Reads a partition from its start with our own client, which checks every CRC. On a connection of
 * its own: a fetch that waits would hold back what is asked behind it. Ends with fewer records
 * than `count` when the time is over.
 */
export async function readOurs(
  address: string,
  topic: string,
  partition: number,
  count: number,
  timeoutMs = 30_000,
): Promise<ReadRecord[]> {
  const client = await Client.connect({ brokers: address });
  const consumer = client.consumer({ partitionBytesMax: 8_000_000 });
  consumer.assign([{ topic, partition, from: 0 }]);
  const found: ReadRecord[] = [];
  const deadlineMs = performance.now() + timeoutMs;
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

/**
 * Reads a partition's batches as they are stored, with their headers and CRCs, from its start to
 * its high watermark.
 */
export async function readBatches(
  connection: Connection,
  topic: string,
  partition = 0,
): Promise<DecodedBatch[]> {
  const batches: DecodedBatch[] = [];
  for (let next = 0; ;) {
    const wanted = { partition, fetchOffset: next, partitionMaxBytes: 8_000_000 };
    const { response, bytes } = await connection.exchange(fetchApi, 12, {
      ...{ maxWaitMs: 0, minBytes: 0 },
      topics: [{ topic, partitions: [wanted] }],
    });
    const found = response.responses[0]?.partitions[0];
    if (found === undefined || found.errorCode !== ErrorCode.NONE) {
      throw new Error(`fetch of ${topic}-${partition} at ${next}: ${found?.errorCode}`);
    }
    const { offset, length } = found.records as Span;
    batches.push(...decodeBatches(bytes.subarray(offset, offset + length), { codecs }));
    if (length === 0 || next >= found.highWatermark) return batches;
    next = (batches.at(-1)?.lastOffset ?? -1) + 1;
  }
}
