import { ZERO_UUID } from "@mantou/base";
import type { TopicImage } from "@mantou/catalog";
import { isInternalTopic, topicNameFault } from "@mantou/catalog";
import type {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
} from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";
import { OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS } from "./authorized-operations.ts";
import { reachableBrokers, viewPartition } from "./reachable-brokers.ts";

type TopicAnswer = DescribeTopicPartitionsResponse["topics"][number];

/**
 * Topics in the order of their names, at most so many partitions at a time; a cursor says where
 * the next request goes on (KIP-966).
 */
export function handleDescribeTopicPartitions(
  broker: BrokerContext,
  call: Call,
  request: DescribeTopicPartitionsRequest,
): Outcome<DescribeTopicPartitionsResponse> {
  const { cursor } = request;
  if (cursor !== null && cursor.partitionIndex < 0) return answer(refused(request));
  const { image } = broker;
  const reachable = reachableBrokers(image, broker.listenerName(call.listenerId));
  const reachableIds = new Set(reachable.map((each) => each.broker.nodeId));
  let left = Math.max(
    Math.min(broker.config.maxRequestPartitionSizeLimit, request.responsePartitionLimit),
    1,
  );
  const topics: TopicAnswer[] = [];
  for (const name of namesFrom(broker, request)) {
    if (left === 0) return answer(page(topics, { topicName: name, partitionIndex: 0 }));
    const topic = image.topicByName(name);
    if (topic === undefined) {
      const isLegal = topicNameFault(name) === null;
      const errorCode = isLegal
        ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        : ErrorCode.INVALID_TOPIC_EXCEPTION;
      topics.push(unknown(name, errorCode));
      continue;
    }
    const first = cursor?.topicName === name ? cursor.partitionIndex : 0;
    const end = Math.min(topic.partitionCount, first + left);
    const partitions: TopicAnswer["partitions"] = [];
    for (let partition = first; partition < end; partition += 1) {
      partitions.push({
        ...viewPartition(image, topic, partition, reachableIds),
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
      });
    }
    left -= partitions.length;
    topics.push(known(topic, partitions));
    if (end < topic.partitionCount) {
      return answer(page(topics, { topicName: name, partitionIndex: end }));
    }
  }
  return answer(page(topics, null));
}

/** The names to describe, sorted, from the cursor's on. No names: every topic. */
function namesFrom(broker: BrokerContext, request: DescribeTopicPartitionsRequest): string[] {
  const asked = [...new Set(request.topics.map(({ name }) => name))].sort();
  const names = asked.length === 0 ? broker.image.topicNamesSorted() : asked;
  const from = request.cursor?.topicName ?? "";
  return names.filter((name) => name >= from);
}

const page = (
  topics: TopicAnswer[],
  nextCursor: DescribeTopicPartitionsResponse["nextCursor"],
): DescribeTopicPartitionsResponse => ({ throttleTimeMs: 0, topics, nextCursor });

const known = (topic: TopicImage, partitions: TopicAnswer["partitions"]): TopicAnswer => ({
  errorCode: ErrorCode.NONE,
  name: topic.name,
  topicId: topic.topicId,
  isInternal: isInternalTopic(topic.name),
  partitions,
  topicAuthorizedOperations: TOPIC_OPERATIONS,
});

const unknown = (name: string, errorCode: ErrorCode): TopicAnswer => ({
  errorCode,
  name,
  topicId: ZERO_UUID,
  isInternal: isInternalTopic(name),
  partitions: [],
  topicAuthorizedOperations: OPERATIONS_NOT_ASKED,
});

const refused = (request: DescribeTopicPartitionsRequest): DescribeTopicPartitionsResponse =>
  page(
    request.topics.map(({ name }) => unknown(name, ErrorCode.INVALID_REQUEST)),
    null,
  );
