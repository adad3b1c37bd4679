import { type Uuid, ZERO_UUID } from "@mantou/base";
import { METADATA_TOPIC } from "@mantou/catalog";
import type { DescribeQuorumRequest, DescribeQuorumResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome, ReplicaProgress } from "../handler.ts";
import { answer } from "../handler.ts";

/** From here on answers name directories, nodes and their addresses (KIP-853). */
const NODES_VERSION = 2;

type PartitionAnswer = DescribeQuorumResponse["topics"][number]["partitions"][number];
type ReplicaState = PartitionAnswer["currentVoters"][number];

/** How far each voter of the metadata log is. Any other partition has no quorum. */
export function handleDescribeQuorum(
  broker: BrokerContext,
  call: Call,
  request: DescribeQuorumRequest,
): Outcome<DescribeQuorumResponse> {
  return answer({
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    topics: request.topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) =>
        topicName === METADATA_TOPIC && partitionIndex === 0
          ? describe(broker, call.version)
          : unknown(partitionIndex),
      ),
    })),
    nodes: call.version < NODES_VERSION ? [] : nodes(broker),
  });
}

function describe(broker: BrokerContext, version: number): PartitionAnswer {
  const { leaderId, leaderEpoch, highWatermark, voters, observers } = broker.controller.quorum();
  const shown = (replica: ReplicaProgress): ReplicaState => ({
    replicaId: replica.replicaId,
    replicaDirectoryId: version < NODES_VERSION ? ZERO_UUID : (replica.directoryId as Uuid),
    logEndOffset: replica.logEndOffset,
    lastFetchTimestamp: replica.lastFetchTimestamp,
    lastCaughtUpTimestamp: replica.lastCaughtUpTimestamp,
  });
  return {
    partitionIndex: 0,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    leaderId,
    leaderEpoch,
    highWatermark,
    currentVoters: voters.map(shown),
    observers: observers.map(shown),
  };
}

const unknown = (partitionIndex: number): PartitionAnswer => ({
  partitionIndex,
  errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  errorMessage: `only ${METADATA_TOPIC}-0 has a quorum`,
  leaderId: -1,
  leaderEpoch: -1,
  highWatermark: -1,
  currentVoters: [],
  observers: [],
});

/** Voters with the addresses under which they are registered as brokers. */
function nodes(broker: BrokerContext): DescribeQuorumResponse["nodes"] {
  return broker.controller.quorum().voters.map(({ replicaId }) => ({
    nodeId: replicaId,
    listeners: (broker.image.broker(replicaId)?.endpoints ?? []).map(
      ({ listener, host, port }) => ({ name: listener, host, port }),
    ),
  }));
}
