import type { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { PartitionsReply, TransactionCommand } from "@mantou/transactions";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { gather } from "./ask-groups.ts";
import { FENCED_SINCE, fencedCode } from "./ask-transactions.ts";

type Topics = AddPartitionsToTxnRequest["v3AndBelowTopics"];
type TopicResults = AddPartitionsToTxnResponse["resultsByTopicV3AndBelow"];
type Transaction = AddPartitionsToTxnRequest["transactions"][number];
type TransactionResult = AddPartitionsToTxnResponse["resultsByTransaction"][number];

/** From here on brokers ask, for many transactions at a time (KIP-890). */
const BATCHED_SINCE = 4;
const ABORTABLE_SINCE = 5;

/** Adds partitions to transactions, or tells which are not in them. */
export function handleAddPartitionsToTxn(
  broker: BrokerContext,
  call: Call,
  request: AddPartitionsToTxnRequest,
): Outcome<AddPartitionsToTxnResponse> {
  const isBatched = call.version >= BATCHED_SINCE;
  return gather(
    isBatched ? request.transactions : [ofOldRequest(request)],
    (transaction, settle: (result: TransactionResult) => void) =>
      add(broker, call.version, transaction, settle),
    (results) => respond(isBatched, results),
  );
}

export function refuseAddPartitionsToTxn(
  request: AddPartitionsToTxnRequest,
  { errorCode }: Refused,
  version: number,
): AddPartitionsToTxnResponse {
  const isBatched = version >= BATCHED_SINCE;
  const transactions = isBatched ? request.transactions : [ofOldRequest(request)];
  return {
    ...respond(
      isBatched,
      transactions.map(({ topics, transactionalId }) => ({
        transactionalId,
        topicResults: sameForAll(topics, errorCode),
      })),
    ),
    errorCode: isBatched ? errorCode : ErrorCode.NONE,
  };
}

function respond(isBatched: boolean, results: TransactionResult[]): AddPartitionsToTxnResponse {
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    resultsByTransaction: isBatched ? results : [],
    resultsByTopicV3AndBelow: isBatched ? [] : (results[0]?.topicResults ?? []),
  };
}

const ofOldRequest = (request: AddPartitionsToTxnRequest): Transaction => ({
  transactionalId: request.v3AndBelowTransactionalId,
  producerId: request.v3AndBelowProducerId,
  producerEpoch: request.v3AndBelowProducerEpoch,
  verifyOnly: false,
  topics: request.v3AndBelowTopics,
});

function add(
  broker: BrokerContext,
  version: number,
  transaction: Transaction,
  settle: (result: TransactionResult) => void,
): void {
  const { producerEpoch, producerId, topics, transactionalId } = transaction;
  const done = (topicResults: TopicResults): void => settle({ transactionalId, topicResults });
  if (transactionalId === "") {
    done(sameForAll(topics, ErrorCode.INVALID_REQUEST));
    return;
  }
  // On a full disk only what is open is brought to its end.
  if (!broker.acceptsAppends && !transaction.verifyOnly) {
    done(sameForAll(topics, ErrorCode.COORDINATOR_NOT_AVAILABLE));
    return;
  }
  const missing = notThere(broker, topics);
  if (missing !== null) {
    done(missing);
    return;
  }
  const common = {
    transactionalId,
    producerId,
    producerEpoch,
    topics: topics.map(({ name, partitions }) => ({ topic: name, partitions })),
  };
  const command: TransactionCommand = transaction.verifyOnly
    ? { kind: "verifyPartitions", ...common }
    : { kind: "addPartitions", ...common, clientVersion: version >= BATCHED_SINCE ? 2 : 0 };
  broker.transactions.ask(transactionalId, command, (errorCode, reply) => {
    const isKnown = version >= FENCED_SINCE.others;
    if (reply === null) done(sameForAll(topics, errorCode));
    else done(results(topics, reply as PartitionsReply, isKnown, version));
  });
}

/** One unknown partition, and none is added: Kafka's way of all or nothing. */
function notThere(broker: BrokerContext, topics: Topics): TopicResults | null {
  const isThere = (name: string, partition: number): boolean => {
    const topic = broker.image.topicByName(name);
    return topic !== undefined && partition >= 0 && partition < topic.partitionCount;
  };
  const isWhole = topics.every(({ name, partitions }) =>
    partitions.every((partition) => isThere(name, partition)),
  );
  if (isWhole) return null;
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: isThere(name, partitionIndex)
        ? ErrorCode.OPERATION_NOT_ATTEMPTED
        : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    })),
  }));
}

function results(
  topics: Topics,
  reply: PartitionsReply,
  isKnown: boolean,
  version: number,
): TopicResults {
  const refusedCode =
    reply.refusedCode === ErrorCode.TRANSACTION_ABORTABLE && version < ABORTABLE_SINCE
      ? ErrorCode.INVALID_TXN_STATE
      : reply.refusedCode;
  const refused = new Map(reply.refused.map(({ partitions, topic }) => [topic, partitions]));
  const all = sameForAll(topics, fencedCode(reply.errorCode, isKnown));
  for (const { name, resultsByPartition } of all) {
    for (const result of resultsByPartition) {
      if (refused.get(name)?.includes(result.partitionIndex) === true) {
        result.partitionErrorCode = refusedCode;
      }
    }
  }
  return all;
}

const sameForAll = (topics: Topics, partitionErrorCode: ErrorCode): TopicResults =>
  topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode,
    })),
  }));
