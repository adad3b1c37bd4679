import { ZERO_UUID } from "@mantou/base";
import { produceApi, type ProduceResponse } from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";

export interface ProduceBatchOptions {
  /** -1 (all) when absent. */
  readonly acks?: -1 | 1;
  readonly timeoutMs?: number;
  /** The highest that both sides have when absent. */
  readonly version?: number;
}

/** A leader's answer for one partition; its error code is not thrown. */
export type ProducedBatch = ProduceResponse["responses"][number]["partitionResponses"][number];

/**
 * Sends bytes as one partition's records, once and as they are: for batches made by hand, and for
 * bytes that are none. A producer's sequence and buffers are not involved.
 */
export async function produceBatch(
  cluster: Cluster,
  topic: string,
  partition: number,
  records: Uint8Array,
  options: ProduceBatchOptions = {},
): Promise<ProducedBatch> {
  const leader = await cluster.leader(topic, partition);
  const { topicId } = leader.topic;
  const versionMax = topicId === ZERO_UUID ? 12 : Infinity;
  const version = options.version ?? leader.connection.versions.pick(produceApi, versionMax);
  const response = await leader.connection.send(produceApi, version, {
    acks: options.acks ?? -1,
    timeoutMs: options.timeoutMs ?? 30_000,
    topicData: [{ name: topic, topicId, partitionData: [{ index: partition, records }] }],
  });
  return response.responses[0]?.partitionResponses[0] as ProducedBatch;
}
