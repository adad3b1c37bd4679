import type { TopicMetadata } from "@mantou/client";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { usage } from "../failure.ts";
import { partitionHealth, partitionPlaces, partitionSizes, recordsBetween } from "../topics.ts";

export const run: Run = async ({ values, connect, output }) => {
  const matches = patternOf(values.positionals[0]);
  const client = await connect();
  const all = await client.admin.listTopics();
  const topics = all
    .filter((topic) => (values.has("internal") || !topic.isInternal) && matches(topic.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const isWide = output.format === "wide";
  const sizes = isWide ? await partitionSizes(client) : null;
  const rows = [];
  for (const topic of topics) {
    const places = isWide ? await partitionPlaces(client, topic) : null;
    rows.push({
      name: topic.name,
      partitions: topic.partitions.length,
      replicas: topic.partitions[0]?.replicas.length ?? 0,
      status: statusOf(topic),
      internal: topic.isInternal,
      topicId: topic.topicId,
      ...(places === null
        ? {}
        : { records: places.reduce((sum, p) => sum + recordsBetween(p), 0) }),
      ...(sizes === null ? {} : { bytes: sizeOf(topic, sizes) }),
    });
  }
  return {
    data: rows,
    view: [
      table(
        rows,
        [
          { title: "TOPIC", of: (row) => row.name },
          { title: "PARTITIONS", of: (row) => row.partitions, kind: "count" },
          { title: "REPLICAS", of: (row) => row.replicas, kind: "count" },
          { title: "RECORDS", of: (row) => row.records ?? null, kind: "count", isWide: true },
          { title: "SIZE", of: (row) => row.bytes ?? null, kind: "bytes", isWide: true },
          { title: "ID", of: (row) => row.topicId, isWide: true },
          { title: "STATUS", of: (row) => row.status, kind: "status" },
        ],
        { empty: "no topics" },
      ),
    ],
  };
};

function patternOf(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true;
  try {
    const expression = new RegExp(pattern);
    return (name) => expression.test(name);
  } catch (error) {
    throw usage(`${JSON.stringify(pattern)} is no regular expression`, (error as Error).message);
  }
}

function statusOf(topic: TopicMetadata): string {
  const { leaderless, underReplicated } = partitionHealth([topic]);
  if (leaderless > 0) return "fail";
  return underReplicated > 0 ? "warn" : "ok";
}

const sizeOf = (topic: TopicMetadata, sizes: ReadonlyMap<string, number>): number =>
  topic.partitions.reduce((sum, p) => sum + (sizes.get(`${topic.name} ${p.partition}`) ?? 0), 0);
