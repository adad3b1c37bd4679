import type { Client } from "@mantou/client";
import { produceBatch } from "@mantou/client";
import { decodeBatches, encodeBatch, fetchApi } from "@mantou/protocol";

/** The last version of Fetch that names topics: a probe needs no ids. */
const FETCH_VERSION = 12;
const FETCH_BYTES_MAX = 64 * 1024 * 1024;

export interface Probed {
  readonly errorCode: number;
  readonly highWatermark: number;
  /** Offset and text of every record of the answer, from the asked offset on. */
  readonly records: readonly { readonly offset: number; readonly value: string }[];
}

/** One partition, asked in single requests without a client's retries. */
export class PartitionProbe {
  constructor(
    private readonly client: Client,
    readonly topic: string,
    readonly partition = 0,
  ) {}

  /** Produces one batch of records with these values; gives the error code and base offset. */
  async produce(
    values: readonly string[],
    timeoutMs = 30_000,
  ): Promise<{ readonly errorCode: number; readonly baseOffset: number }> {
    const timestamp = Date.now();
    const records = values.map((value) => ({ value: new TextEncoder().encode(value), timestamp }));
    const batch = encodeBatch(records);
    return await produceBatch(this.client.cluster, this.topic, this.partition, batch, {
      timeoutMs,
    });
  }

  /** One fetch that waits for nothing. */
  async fetch(offset: number): Promise<Probed> {
    const connection = await this.client.cluster.any();
    const partitions = [
      { partition: this.partition, fetchOffset: offset, partitionMaxBytes: FETCH_BYTES_MAX },
    ];
    const { response, bytes } = await connection.exchange(fetchApi, FETCH_VERSION, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: FETCH_BYTES_MAX,
      topics: [{ topic: this.topic, partitions }],
      forgottenTopicsData: [],
    });
    const answer = response.responses[0]?.partitions[0];
    if (answer === undefined) throw new Error(`no answer for ${this.topic}: ${response.errorCode}`);
    const span = answer.records;
    const found =
      span === null ? [] : decodeBatches(bytes.subarray(span.offset, span.offset + span.length));
    const records = found
      .flatMap((batch) => batch.records)
      .filter((record) => record.offset >= offset)
      .map((record) => ({
        offset: record.offset,
        value: new TextDecoder().decode(record.value ?? undefined),
      }));
    return { errorCode: answer.errorCode, highWatermark: answer.highWatermark, records };
  }

  /** Everything from `offset` to the high watermark, or to the first refusal. */
  async readFrom(offset: number): Promise<Probed> {
    const records: { readonly offset: number; readonly value: string }[] = [];
    let next = offset;
    for (;;) {
      const probed = await this.fetch(next);
      records.push(...probed.records);
      next = (records.at(-1)?.offset ?? next - 1) + 1;
      if (probed.errorCode !== 0 || probed.records.length === 0 || next >= probed.highWatermark) {
        return { ...probed, records };
      }
    }
  }
}
