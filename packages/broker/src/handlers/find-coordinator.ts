import type { FindCoordinatorRequest, FindCoordinatorResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { CoordinatorTopic } from "../coordinators/internal-topics.ts";
import { CONSUMER_OFFSETS, TRANSACTION_STATE } from "../coordinators/internal-topics.ts";
import { coordinatorPartition } from "../coordinators/placement.ts";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer, later } from "../handler.ts";
import type { Failure } from "../refusals.ts";
import { reachOn } from "./reachable-brokers.ts";

/** From here on the request has a list of keys; librdkafka and kafkajs stay below. */
const BATCHED_SINCE = 4;

const KeyType = { GROUP: 0, TRANSACTION: 1 } as const;

type Coordinator = FindCoordinatorResponse["coordinators"][number];

/**
 * Which broker coordinates a group or a transactional id: the leader of its partition of the
 * internal topic. Whoever asks first has the topic created, and waits for it.
 */
export function handleFindCoordinator(
  broker: BrokerContext,
  call: Call,
  request: FindCoordinatorRequest,
): Outcome<FindCoordinatorResponse> {
  const topic = topicOf(request.keyType);
  if (topic === null) {
    const errorMessage = `coordinators of type ${request.keyType} do not exist here, only those of groups (0) and transactions (1)`;
    const failure = { errorCode: ErrorCode.INVALID_REQUEST, errorMessage };
    return answer(refuseFindCoordinator(request, failure, call.version));
  }
  const found = (): FindCoordinatorResponse => {
    const keys = call.version < BATCHED_SINCE ? [request.key] : request.coordinatorKeys;
    return response(
      keys.map((key) => find(broker, call, topic, key)),
      call.version,
    );
  };
  if (broker.image.topicByName(topic) !== undefined) return answer(found());
  return later(broker.ensureTopic(topic).then(found));
}

function topicOf(keyType: number): CoordinatorTopic | null {
  if (keyType === KeyType.GROUP) return CONSUMER_OFFSETS;
  return keyType === KeyType.TRANSACTION ? TRANSACTION_STATE : null;
}

function find(
  broker: BrokerContext,
  call: Call,
  topic: CoordinatorTopic,
  key: string,
): Coordinator {
  const found = broker.image.topicByName(topic);
  if (found === undefined) {
    return nobody(key, ErrorCode.COORDINATOR_NOT_AVAILABLE, `${topic} is not there yet`);
  }
  const partition = coordinatorPartition(key, found.partitionCount);
  const leader = broker.image.broker(found.leaderOf(partition));
  const reachable =
    leader === undefined || leader.fenced
      ? null
      : reachOn(leader, broker.listenerName(call.listenerId));
  if (leader === undefined || reachable === null) {
    return nobody(key, ErrorCode.COORDINATOR_NOT_AVAILABLE, `${topic}-${partition} has no leader`);
  }
  const { host, port } = reachable;
  return { key, nodeId: leader.nodeId, host, port, errorCode: ErrorCode.NONE, errorMessage: "" };
}

const nowhere = { nodeId: -1, host: "", port: -1 };

const nobody = (key: string, errorCode: number, errorMessage: string | null): Coordinator => ({
  key,
  ...nowhere,
  errorCode,
  errorMessage,
});

/** One answer at the top for the one key of older versions, or a list. */
function response(coordinators: Coordinator[], version: number): FindCoordinatorResponse {
  const top = { errorCode: 0, errorMessage: null, nodeId: 0, host: "", port: 0 };
  if (version >= BATCHED_SINCE) return { throttleTimeMs: 0, ...top, coordinators };
  const { key: _, ...only } = coordinators[0] as Coordinator;
  const isFound = only.errorCode === ErrorCode.NONE;
  const errorMessage = isFound ? "NONE" : only.errorMessage;
  return { throttleTimeMs: 0, ...only, errorMessage, coordinators: [] };
}

/** One code for the one key, or for each of the list. */
export function refuseFindCoordinator(
  request: FindCoordinatorRequest,
  { errorCode, errorMessage }: Failure,
  version: number,
): FindCoordinatorResponse {
  const keys = version < BATCHED_SINCE ? [request.key] : request.coordinatorKeys;
  return response(
    keys.map((key) => nobody(key, errorCode, errorMessage)),
    version,
  );
}
