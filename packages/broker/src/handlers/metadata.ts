import { type Uuid, ZERO_UUID } from "@mantou/base";
import type { CatalogImage, TopicImage } from "@mantou/catalog";
import { METADATA_TOPIC, isInternalTopic, topicNameFault } from "@mantou/catalog";
import type { MetadataRequest, MetadataResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer, later } from "../handler.ts";
import {
  CLUSTER_OPERATIONS,
  OPERATIONS_NOT_ASKED,
  TOPIC_OPERATIONS,
} from "./authorized-operations.ts";
import { advertisedController, reachableBrokers, viewPartition } from "./reachable-brokers.ts";

/** Below it LISTENER_NOT_FOUND is unknown to clients. */
const LISTENER_ERROR_VERSION = 6;
/** From here on topics can be asked for by id. */
const TOPIC_ID_VERSION = 12;

type TopicAnswer = MetadataResponse["topics"][number];
type Asked = NonNullable<MetadataRequest["topics"]>[number];

/** Brokers, topics and leaders. Creates topics that are asked for by name, where it may. */
export function handleMetadata(
  broker: BrokerContext,
  call: Call,
  request: MetadataRequest,
): Outcome<MetadataResponse> {
  const missing = creatable(broker, call.version, request);
  if (missing.length === 0) return answer(metadata(broker, call, request, new Map()));
  return later(create(broker, call, request, missing));
}

/** Names that were asked for, do not exist and may be created. */
function creatable(broker: BrokerContext, version: number, request: MetadataRequest): string[] {
  if (!request.allowAutoTopicCreation || !broker.config.autoCreateTopicsEnable) return [];
  if (isForAll(version, request)) return [];
  const names = (request.topics ?? []).flatMap(({ name, topicId }) =>
    name === null || topicId !== ZERO_UUID ? [] : [name],
  );
  return [...new Set(names)].filter(
    (name) =>
      broker.image.topicByName(name) === undefined &&
      topicNameFault(name) === null &&
      name !== METADATA_TOPIC &&
      !isInternalTopic(name),
  );
}

/** Waits for the topics, so that the client need not ask again. */
async function create(
  broker: BrokerContext,
  call: Call,
  request: MetadataRequest,
  names: readonly string[],
): Promise<MetadataResponse> {
  const created = await broker.controller.decide({
    kind: "createTopics",
    topics: names.map((name) => ({
      name,
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [],
      configs: [],
    })),
    validateOnly: false,
  });
  const refused = new Map<string, ErrorCode>();
  for (const { name, errorCode } of created) {
    // Another client may have been faster: then the topic is there.
    if (errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS) refused.set(name, errorCode);
  }
  return metadata(broker, call, request, refused);
}

function metadata(
  broker: BrokerContext,
  call: Call,
  request: MetadataRequest,
  refused: ReadonlyMap<string, ErrorCode>,
): MetadataResponse {
  const { image } = broker;
  const reachable = reachableBrokers(image, broker.listenerName(call.listenerId));
  const reachableIds = new Set(reachable.map((each) => each.broker.nodeId));
  const operations = request.includeTopicAuthorizedOperations
    ? TOPIC_OPERATIONS
    : OPERATIONS_NOT_ASKED;
  const describe = (topic: TopicImage): TopicAnswer =>
    known(image, call.version, topic, reachableIds, operations);
  const topics = isForAll(call.version, request)
    ? image.topicNamesSorted().flatMap((name) => {
        const topic = image.topicByName(name);
        return topic === undefined ? [] : [describe(topic)];
      })
    : distinct(request.topics ?? []).map((asked) => {
        const found = find(image, call.version, asked, refused);
        return typeof found === "number" ? unknown(asked, call.version, found) : describe(found);
      });
  return {
    throttleTimeMs: 0,
    brokers: reachable.map(({ broker: { nodeId, rack }, host, port }) => ({
      nodeId,
      host,
      port,
      rack,
    })),
    clusterId: broker.clusterId,
    controllerId: advertisedController(reachable, broker.nodeId),
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? CLUSTER_OPERATIONS
      : OPERATIONS_NOT_ASKED,
    errorCode: ErrorCode.NONE,
  };
}

/** An absent list asks for every topic; in version 0, which has no null, an empty one does. */
const isForAll = (version: number, request: MetadataRequest): boolean =>
  request.topics === null || (version === 0 && request.topics.length === 0);

function distinct(topics: readonly Asked[]): Asked[] {
  const byKey = new Map(topics.map((asked) => [`${asked.topicId}/${asked.name}`, asked]));
  return [...byKey.values()];
}

function find(
  image: CatalogImage,
  version: number,
  asked: Asked,
  refused: ReadonlyMap<string, ErrorCode>,
): TopicImage | ErrorCode {
  const { name, topicId } = asked;
  if (topicId !== ZERO_UUID || name === null) {
    // Versions 10 and 11 have the field but not the meaning.
    if (version < TOPIC_ID_VERSION) return ErrorCode.INVALID_REQUEST;
    return image.topicById(topicId) ?? ErrorCode.UNKNOWN_TOPIC_ID;
  }
  if (topicNameFault(name) !== null) return ErrorCode.INVALID_TOPIC_EXCEPTION;
  const found = image.topicByName(name);
  if (found !== undefined) return found;
  // A creation that has just succeeded can only be missing when the topic is deleted again.
  const errorCode = refused.get(name) ?? ErrorCode.NONE;
  return errorCode === ErrorCode.NONE ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : errorCode;
}

function known(
  image: CatalogImage,
  version: number,
  topic: TopicImage,
  reachableIds: ReadonlySet<number>,
  operations: number,
): TopicAnswer {
  const partitions: TopicAnswer["partitions"] = [];
  for (let partition = 0; partition < topic.partitionCount; partition += 1) {
    const view = viewPartition(image, topic, partition, reachableIds);
    const isUnknown =
      view.errorCode === ErrorCode.LISTENER_NOT_FOUND && version < LISTENER_ERROR_VERSION;
    partitions.push(isUnknown ? { ...view, errorCode: ErrorCode.LEADER_NOT_AVAILABLE } : view);
  }
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: isInternalTopic(topic.name),
    partitions,
    topicAuthorizedOperations: operations,
  };
}

/** A topic that cannot be described: by name with the zero id, or by id without a name. */
function unknown(asked: Asked, version: number, errorCode: ErrorCode): TopicAnswer {
  const byId = asked.topicId !== ZERO_UUID;
  const name = byId && version >= TOPIC_ID_VERSION ? null : (asked.name ?? "");
  const topicId: Uuid = byId ? asked.topicId : ZERO_UUID;
  return {
    errorCode,
    name,
    topicId,
    isInternal: name !== null && isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: OPERATIONS_NOT_ASKED,
  };
}
