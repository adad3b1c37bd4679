import { ErrorCode } from "@mantou/protocol";
import type {
  CreatePartitions,
  DecideContext,
  Decision,
  ItemReply,
  NamedReply,
} from "../commands.ts";
import { type BrokerConfig, resolveBrokerConfig } from "../configs/broker-config.ts";
import type { CatalogImage } from "../image.ts";
import { placeReplicas } from "../placement.ts";
import type { MetadataRecord } from "../records.ts";
import type { TopicImage } from "../topic-image.ts";
import { assignmentFault, newPartitions } from "./assignments.ts";
import { PARTITIONS_PER_COMMAND_MAX } from "./create-topics.ts";
import { accepted, refused, repeated } from "./replies.ts";

type Wanted = CreatePartitions["topics"][number];

export function decideCreatePartitions(
  image: CatalogImage,
  command: CreatePartitions,
  context: DecideContext,
): Decision<readonly NamedReply[]> {
  const config = resolveBrokerConfig(image, context.config);
  const records: MetadataRecord[] = [];
  const reply: NamedReply[] = [];
  const twice = repeated(command.topics.map(({ name }) => name));
  for (const name of twice) {
    const message = `topic ${name} is named more than once`;
    reply.push({ ...refused(ErrorCode.INVALID_REQUEST, message), name });
  }
  let planned = 0;
  for (const wanted of command.topics) {
    const { name } = wanted;
    if (twice.has(name)) continue;
    const topic = image.topicByName(name);
    if (topic === undefined) {
      const message = `there is no topic ${name}`;
      reply.push({ ...refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message), name });
      continue;
    }
    const replicas = replicasFor(image, topic, wanted, config, planned);
    if (!(replicas instanceof Int32Array)) {
      reply.push({ ...replicas, name });
      continue;
    }
    planned += wanted.count - topic.partitionCount;
    const { topicId, partitionCount } = topic;
    const width = topic.replicationFactorOf(0);
    if (!command.validateOnly) {
      records.push(newPartitions(image, topicId, partitionCount, width, replicas));
    }
    reply.push({ ...accepted, name });
  }
  return { records, reply };
}

function replicasFor(
  image: CatalogImage,
  topic: TopicImage,
  wanted: Wanted,
  config: BrokerConfig,
  planned: number,
): Int32Array | ItemReply {
  const { name, count, assignments } = wanted;
  const added = count - topic.partitionCount;
  if (added <= 0) {
    const message = `topic ${name} has ${topic.partitionCount} partitions; it can only get more, not ${count}`;
    return refused(ErrorCode.INVALID_PARTITIONS, message);
  }
  const { partitionsPerTopicMax, partitionsMax } = config;
  if (count > partitionsPerTopicMax) {
    const message = `${count} partitions, a topic may have ${partitionsPerTopicMax} (mantou.partitions.per.topic.max)`;
    return refused(ErrorCode.INVALID_PARTITIONS, message);
  }
  if (image.partitionCount + planned + added > partitionsMax) {
    const message = `the cluster may have ${partitionsMax} partitions (mantou.partitions.max) and has ${image.partitionCount}`;
    return refused(ErrorCode.POLICY_VIOLATION, message);
  }
  if (planned + added > PARTITIONS_PER_COMMAND_MAX) {
    const message = `one request may create ${PARTITIONS_PER_COMMAND_MAX} partitions`;
    return refused(ErrorCode.POLICY_VIOLATION, message);
  }
  const width = topic.replicationFactorOf(0);
  if (assignments !== null) return assigned(image, topic, added, width, assignments);
  const nodeIds = image.aliveNodeIds();
  if (width > nodeIds.length) {
    const message = `replication factor ${width} with ${nodeIds.length} brokers alive`;
    return refused(ErrorCode.INVALID_REPLICATION_FACTOR, message);
  }
  // Goes on behind the topic's last leader, so that its partitions stay spread.
  const lastLeader = topic.replicasOf(topic.partitionCount - 1)[0] as number;
  const start = topic.partitionCount * nodeIds.length + nodeIds.indexOf(lastLeader) + 1;
  return placeReplicas(nodeIds, added, width, start);
}

function assigned(
  image: CatalogImage,
  topic: TopicImage,
  added: number,
  width: number,
  assignments: NonNullable<Wanted["assignments"]>,
): Int32Array | ItemReply {
  if (assignments.length !== added) {
    const message = `${assignments.length} assignments for ${added} new partitions`;
    return refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message);
  }
  for (const [index, { brokerIds }] of assignments.entries()) {
    const fault = assignmentFault(image, topic.partitionCount + index, brokerIds, width);
    if (fault !== null) return fault;
  }
  return Int32Array.from(assignments.flatMap(({ brokerIds }) => brokerIds));
}
