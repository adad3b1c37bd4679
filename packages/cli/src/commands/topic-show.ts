import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { plural } from "../humane.ts";
import { changedConfigs, configColumns } from "../configs.ts";
import { existingTopic, partitionPlaces, partitionSizes, recordsBetween } from "../topics.ts";

export const run: Run = async ({ values, connect }) => {
  const client = await connect();
  const topic = await existingTopic(client, values.positional(0));
  const [places, sizes, configs] = await Promise.all([
    partitionPlaces(client, topic),
    partitionSizes(client),
    client.admin.describeConfigs({ type: "topic", name: topic.name }),
  ]);
  const partitions = topic.partitions.map((entry, index) => {
    const place = places[index] ?? { partition: entry.partition, earliest: -1, latest: -1 };
    return {
      partition: entry.partition,
      leader: entry.leaderId < 0 ? null : entry.leaderId,
      leaderEpoch: entry.leaderEpoch,
      replicas: entry.replicas,
      inSync: entry.inSync,
      offline: entry.offline,
      startOffset: place.earliest,
      endOffset: place.latest,
      records: recordsBetween(place),
      bytes: sizes.get(`${topic.name} ${entry.partition}`) ?? null,
      status:
        entry.leaderId < 0 ? "fail" : entry.inSync.length < entry.replicas.length ? "warn" : "ok",
    };
  });
  const changed = changedConfigs(configs);
  const records = partitions.reduce((sum, row) => sum + row.records, 0);
  const head = `${topic.name}  ${plural(partitions.length, "partition")}, ${plural(records, "record")}, id ${topic.topicId}`;
  return {
    data: {
      name: topic.name,
      topicId: topic.topicId,
      internal: topic.isInternal,
      records,
      partitions,
      configs: Object.fromEntries(changed.map(({ name, value }) => [name, value])),
    },
    lines: partitions.map((partition) => ({ topic: topic.name, ...partition })),
    view: [
      head,
      table(partitions, [
        { title: "PARTITION", of: (row) => row.partition, kind: "count" },
        { title: "LEADER", of: (row) => row.leader, kind: "count" },
        { title: "EPOCH", of: (row) => row.leaderEpoch, kind: "count", isWide: true },
        { title: "REPLICAS", of: (row) => row.replicas.join(",") },
        { title: "IN SYNC", of: (row) => row.inSync.join(",") },
        { title: "START", of: (row) => row.startOffset, kind: "count" },
        { title: "END", of: (row) => row.endOffset, kind: "count" },
        { title: "RECORDS", of: (row) => row.records, kind: "count" },
        { title: "SIZE", of: (row) => row.bytes, kind: "bytes" },
        { title: "STATUS", of: (row) => row.status, kind: "status" },
      ]),
      ...(changed.length === 0 ? [] : ["", table(changed, configColumns)]),
    ],
  };
};
