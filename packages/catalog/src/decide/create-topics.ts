import { type Uuid, ZERO_UUID } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type {
  CreateTopics,
  CreatedTopic,
  DecideContext,
  Decision,
  ItemReply,
  NewTopic,
} from "../commands.ts";
import { type BrokerConfig, resolveBrokerConfig } from "../configs/broker-config.ts";
import { topicConfigConflict } from "../configs/topic-config.ts";
import { type CatalogImage, ConfigResource } from "../image.ts";
import { placeReplicas } from "../placement.ts";
import type { MetadataRecord } from "../records.ts";
import { METADATA_TOPIC, foldTopicName, topicNameFault } from "../topic-name.ts";
import { assignmentFault, newPartitions } from "./assignments.ts";
import { settingFault } from "./change-configs.ts";
import { accepted, refused, repeated } from "./replies.ts";

/** New partitions that one command may ask for, so that its records stay one log entry. */
export const PARTITIONS_PER_COMMAND_MAX = 100_000;

/** What earlier topics of the same command have taken already. */
interface Planned {
  readonly config: BrokerConfig;
  readonly foldedNames: Map<string, string>;
  readonly topicIds: Set<Uuid>;
  partitions: number;
}

/** Replicas of a whole topic: node ids, `width` to a partition. */
interface Layout {
  readonly width: number;
  readonly replicas: Int32Array;
}

/** Each topic by itself: what is wrong with one does not keep the others from being created. */
export function decideCreateTopics(
  image: CatalogImage,
  command: CreateTopics,
  context: DecideContext,
): Decision<readonly CreatedTopic[]> {
  const config = resolveBrokerConfig(image, context.config);
  const planned: Planned = {
    config,
    foldedNames: new Map(),
    topicIds: new Set(),
    partitions: 0,
  };
  const twice = repeated(command.topics.map((topic) => topic.name));
  const records: MetadataRecord[] = [];
  const reply: CreatedTopic[] = [];
  for (const name of twice) {
    const fault = refused(ErrorCode.INVALID_REQUEST, `topic ${name} is named more than once`);
    reply.push(failed(name, fault));
  }
  for (const topic of command.topics) {
    if (twice.has(topic.name)) continue;
    const layout = layOut(image, topic, planned, context);
    if ("errorCode" in layout) {
      reply.push(failed(topic.name, layout));
      continue;
    }
    const overrides = new Map(
      topic.configs.map(({ name, value }) => [name, (value ?? "").trim()] as const),
    );
    const numPartitions = layout.replicas.length / layout.width;
    planned.partitions += numPartitions;
    planned.foldedNames.set(foldTopicName(topic.name), topic.name);
    let topicId = ZERO_UUID;
    if (!command.validateOnly) {
      topicId = freshId(image, planned, context);
      records.push(...recordsFor(image, topic.name, topicId, layout, overrides));
    }
    const { width: replicationFactor } = layout;
    reply.push({
      ...accepted,
      name: topic.name,
      topicId,
      numPartitions,
      replicationFactor,
      overrides,
    });
  }
  return { records, reply };
}

/** Where the topic's partitions go, or why it cannot be created. */
function layOut(
  image: CatalogImage,
  topic: NewTopic,
  planned: Planned,
  context: DecideContext,
): Layout | ItemReply {
  const fault = nameFault(image, topic.name, planned) ?? configFault(image, topic, context);
  if (fault !== null) return fault;
  return topic.assignments.length > 0
    ? assigned(image, topic, planned)
    : placed(image, topic, planned);
}

function nameFault(image: CatalogImage, name: string, planned: Planned): ItemReply | null {
  const fault = topicNameFault(name);
  if (fault !== null) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION, fault);
  if (name === METADATA_TOPIC) {
    return refused(ErrorCode.INVALID_REQUEST, `${name} is the cluster's own log`);
  }
  if (image.topicByName(name) !== undefined) {
    return refused(ErrorCode.TOPIC_ALREADY_EXISTS, `topic ${name} already exists`);
  }
  const other = image.collidingTopic(name) ?? planned.foldedNames.get(foldTopicName(name));
  if (other === undefined) return null;
  const message = `topic ${name} cannot be told from topic ${other} where "." is shown as "_"`;
  return refused(ErrorCode.INVALID_TOPIC_EXCEPTION, message);
}

function configFault(
  image: CatalogImage,
  topic: NewTopic,
  { config }: DecideContext,
): ItemReply | null {
  const twice = repeated(topic.configs.map((config) => config.name));
  for (const name of twice) {
    return refused(ErrorCode.INVALID_CONFIG, `${name} is set more than once`);
  }
  for (const { name, value } of topic.configs) {
    if (value === null) return refused(ErrorCode.INVALID_CONFIG, `${name} has no value`);
    const message = settingFault(ConfigResource.TOPIC, name, value.trim());
    if (message !== null) return refused(ErrorCode.INVALID_CONFIG, message);
  }
  const values = topic.configs.map(({ name, value }) => [name, (value ?? "").trim()] as const);
  const conflict = topicConfigConflict(image, config, new Map(values));
  return conflict === null ? null : refused(ErrorCode.INVALID_CONFIG, conflict);
}

function limitFault(image: CatalogImage, count: number, planned: Planned): ItemReply | null {
  const { partitionsPerTopicMax, partitionsMax } = planned.config;
  if (count > partitionsPerTopicMax) {
    const message = `${count} partitions, a topic may have ${partitionsPerTopicMax} (mantou.partitions.per.topic.max)`;
    return refused(ErrorCode.INVALID_PARTITIONS, message);
  }
  if (image.partitionCount + planned.partitions + count > partitionsMax) {
    const message = `the cluster may have ${partitionsMax} partitions (mantou.partitions.max) and has ${image.partitionCount}`;
    return refused(ErrorCode.POLICY_VIOLATION, message);
  }
  if (planned.partitions + count > PARTITIONS_PER_COMMAND_MAX) {
    const message = `one request may create ${PARTITIONS_PER_COMMAND_MAX} partitions`;
    return refused(ErrorCode.POLICY_VIOLATION, message);
  }
  return null;
}

function placed(image: CatalogImage, topic: NewTopic, planned: Planned): Layout | ItemReply {
  const { config } = planned;
  const count = topic.numPartitions === -1 ? config.numPartitions : topic.numPartitions;
  const width =
    topic.replicationFactor === -1 ? config.defaultReplicationFactor : topic.replicationFactor;
  if (count < 1) {
    const message = `${count} partitions: there must be at least one, or -1 for the default`;
    return refused(ErrorCode.INVALID_PARTITIONS, message);
  }
  if (width < 1) {
    const message = `replication factor ${width}: it must be at least 1, or -1 for the default`;
    return refused(ErrorCode.INVALID_REPLICATION_FACTOR, message);
  }
  const fault = limitFault(image, count, planned);
  if (fault !== null) return fault;
  const nodeIds = image.aliveNodeIds();
  if (width > nodeIds.length) {
    const message = `replication factor ${width} with ${nodeIds.length} brokers alive`;
    return refused(ErrorCode.INVALID_REPLICATION_FACTOR, message);
  }
  const start = image.partitionCount + planned.partitions;
  return { width, replicas: placeReplicas(nodeIds, count, width, start) };
}

function assigned(image: CatalogImage, topic: NewTopic, planned: Planned): Layout | ItemReply {
  if (topic.numPartitions !== -1 || topic.replicationFactor !== -1) {
    const message = "with an assignment, partitions and replication factor must be -1";
    return refused(ErrorCode.INVALID_REQUEST, message);
  }
  const count = topic.assignments.length;
  const fault = limitFault(image, count, planned);
  if (fault !== null) return fault;
  const inOrder = [...topic.assignments].sort((a, b) => a.partitionIndex - b.partitionIndex);
  const width = inOrder[0]?.brokerIds.length ?? 0;
  for (const [index, { partitionIndex, brokerIds }] of inOrder.entries()) {
    if (partitionIndex !== index) {
      const message = "the assignment must name each partition from 0 on, once";
      return refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message);
    }
    const wrong = assignmentFault(image, partitionIndex, brokerIds, width);
    if (wrong !== null) return wrong;
  }
  return { width, replicas: Int32Array.from(inOrder.flatMap(({ brokerIds }) => brokerIds)) };
}

/** Ids that text tools would take for an option, and Kafka's reserved ones, are left out. */
function freshId(image: CatalogImage, planned: Planned, context: DecideContext): Uuid {
  for (;;) {
    const id = context.newUuid();
    const reserved = id.startsWith("-") || id.startsWith("AAAAAAAAAAAAAAAAAAAAA");
    if (!reserved && image.topicById(id) === undefined && !planned.topicIds.has(id)) {
      planned.topicIds.add(id);
      return id;
    }
  }
}

function recordsFor(
  image: CatalogImage,
  name: string,
  topicId: Uuid,
  layout: Layout,
  overrides: ReadonlyMap<string, string>,
): MetadataRecord[] {
  const records: MetadataRecord[] = [
    { kind: "topic", topicId, name },
    newPartitions(image, topicId, 0, layout.width, layout.replicas),
  ];
  for (const [setting, value] of overrides) {
    records.push({
      kind: "config",
      resourceType: ConfigResource.TOPIC,
      resourceName: name,
      name: setting,
      value,
    });
  }
  return records;
}

const failed = (name: string, fault: ItemReply): CreatedTopic => ({
  ...fault,
  name,
  topicId: ZERO_UUID,
  numPartitions: -1,
  replicationFactor: -1,
  overrides: new Map(),
});
