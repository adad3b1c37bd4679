import { type Uuid, ZERO_UUID } from "@mantou/base";
import { type ProduceResponse } from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import type { ProducerBatch } from "./producer-batch.ts";
import type { ProducerLane } from "./producer-lane.ts";

/** A batch that goes out, and the lane it belongs to. */
export interface Parcel {
  readonly lane: ProducerLane;
  readonly batch: ProducerBatch;
  readonly bytes: Uint8Array;
}

export type PartitionResult = ProduceResponse["responses"][number]["partitionResponses"][number];

interface TopicData {
  readonly name: string;
  readonly topicId: Uuid;
  readonly partitionData: { readonly index: number; readonly records: Uint8Array }[];
}

/** Parcels by topic, as a request has them. */
export function topicDataOf(cluster: Cluster, parcels: readonly Parcel[]): TopicData[] {
  const topics = new Map<string, TopicData>();
  for (const { lane, bytes } of parcels) {
    const name = lane.topic;
    let topic = topics.get(name);
    if (topic === undefined) {
      const topicId = cluster.knownTopic(name)?.topicId ?? ZERO_UUID;
      topic = { name, topicId, partitionData: [] };
      topics.set(name, topic);
    }
    topic.partitionData.push({ index: lane.partition, records: bytes });
  }
  return [...topics.values()];
}

/** Each parcel's result, or undefined; answers name topics by name or by id, as requests do. */
export function resultsOf(
  response: ProduceResponse,
  topics: readonly TopicData[],
  parcels: readonly Parcel[],
): (PartitionResult | undefined)[] {
  const names = new Map(topics.map(({ name, topicId }) => [topicId, name]));
  const results = new Map<string, PartitionResult>();
  for (const topic of response.responses) {
    const name = topic.name === "" ? names.get(topic.topicId) : topic.name;
    for (const result of topic.partitionResponses) results.set(`${result.index} ${name}`, result);
  }
  return parcels.map(({ lane }) => results.get(`${lane.partition} ${lane.topic}`));
}
