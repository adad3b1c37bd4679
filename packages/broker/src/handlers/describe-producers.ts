import type { DescribeProducersRequest, DescribeProducersResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";
import { resolveByName } from "./partition-checks.ts";

type PartitionAnswer = DescribeProducersResponse["topics"][number]["partitions"][number];

/** Idempotent and transactional producers that the leader of a partition remembers (KIP-664). */
export function handleDescribeProducers(
  broker: BrokerContext,
  _call: Call,
  request: DescribeProducersRequest,
): Outcome<DescribeProducersResponse> {
  return answer({
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((index) => describe(broker, name, index)),
    })),
  });
}

function describe(broker: BrokerContext, topic: string, partitionIndex: number): PartitionAnswer {
  const found = resolveByName(broker, topic, partitionIndex);
  const errorCode = (
    "errorCode" in found
      ? found.errorCode
      : broker.partitions.isLeader(found.logId)
        ? ErrorCode.NONE
        : ErrorCode.NOT_LEADER_OR_FOLLOWER
  ) as ErrorCode;
  if ("errorCode" in found || errorCode !== ErrorCode.NONE) {
    const errorMessage =
      errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        ? `there is no partition ${topic}-${partitionIndex}`
        : `broker ${broker.nodeId} does not lead ${topic}-${partitionIndex}`;
    return { partitionIndex, errorCode, errorMessage, activeProducers: [] };
  }
  return {
    partitionIndex,
    errorCode,
    errorMessage: null,
    activeProducers: broker.producers.list(found.logId),
  };
}
