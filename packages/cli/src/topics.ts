import type { Client, TopicMetadata } from "@mantou/client";
import { Failure } from "./failure.ts";
import { didYouMean } from "./nearest.ts";

/**
 * The named topics' metadata, in that order. Throws a Failure that names the nearest topics, where
 * one does not exist.
 */
export async function existingTopics(
  client: Client,
  names: readonly string[],
): Promise<TopicMetadata[]> {
  const metadata = await client.admin.metadata(names);
  const topics: TopicMetadata[] = [];
  for (const name of names) {
    const topic = metadata.topics.find((entry) => entry.name === name);
    if (topic === undefined) throw await noTopic(client, name, metadata.failed.get(name));
    topics.push(topic);
  }
  return topics;
}

export async function existingTopic(client: Client, name: string): Promise<TopicMetadata> {
  return (await existingTopics(client, [name]))[0] as TopicMetadata;
}

/** The failure for a topic that cannot be had, with the nearest names. */
export async function noTopic(
  client: Client,
  name: string,
  error: { readonly errorName: string; readonly message: string } | undefined,
): Promise<Failure> {
  const errorName = error?.errorName ?? "UNKNOWN_TOPIC_OR_PARTITION";
  if (errorName !== "UNKNOWN_TOPIC_OR_PARTITION" || error === undefined) {
    if (error !== undefined) return new Failure(errorName, error.message);
  }
  const all = await client.admin.listTopics().catch(() => []);
  const near = didYouMean(
    name,
    all.map((topic) => topic.name),
  );
  const hint = near ?? `create it with: mantou topic create ${name}`;
  return new Failure(errorName, `there is no topic ${JSON.stringify(name)}`, { hint });
}

export interface PartitionPlace {
  readonly partition: number;
  /** -1: not known. */
  readonly earliest: number;
  readonly latest: number;
}

/** How many partitions are asked at the same time. */
const ASKED_AT_ONCE = 64;

/** First and next offset of each partition; -1 where the leader cannot be asked. */
export async function partitionPlaces(
  client: Client,
  topic: TopicMetadata,
): Promise<PartitionPlace[]> {
  const places: PartitionPlace[] = [];
  for (let at = 0; at < topic.partitions.length; at += ASKED_AT_ONCE) {
    const some = topic.partitions.slice(at, at + ASKED_AT_ONCE);
    const found = await Promise.all(
      some.map(async ({ partition, leaderId }) => {
        if (leaderId < 0) return { partition, earliest: -1, latest: -1 };
        const [earliest, latest] = await Promise.all([
          client.admin.listOffset(topic.name, partition, "earliest"),
          client.admin.listOffset(topic.name, partition, "latest"),
        ]);
        return { partition, earliest: earliest.offset, latest: latest.offset };
      }),
    );
    places.push(...found);
  }
  return places;
}

/** Bytes of each partition's first replica by "topic partition"; empty where brokers do not tell. */
export async function partitionSizes(client: Client): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  const { brokers } = await client.admin.metadata([]);
  const answers = await Promise.all(
    brokers.map(({ id }) => client.admin.describeLogDirs(id).catch(() => [])),
  );
  for (const { topics } of answers.flat()) {
    for (const { name, partitions } of topics) {
      for (const { partitionIndex, partitionSize, isFutureKey } of partitions) {
        if (isFutureKey) continue;
        const key = `${name} ${partitionIndex}`;
        sizes.set(key, Math.max(sizes.get(key) ?? 0, partitionSize));
      }
    }
  }
  return sizes;
}

export const recordsBetween = ({ earliest, latest }: PartitionPlace): number =>
  earliest < 0 || latest < 0 ? 0 : latest - earliest;

/** What is wrong with the partitions of topics, in counts. */
export function partitionHealth(topics: readonly TopicMetadata[]) {
  const partitions = topics.flatMap((topic) => topic.partitions);
  return {
    topics: topics.length,
    partitions: partitions.length,
    leaderless: partitions.filter(({ leaderId }) => leaderId < 0).length,
    underReplicated: partitions.filter((p) => p.inSync.length < p.replicas.length).length,
  };
}
