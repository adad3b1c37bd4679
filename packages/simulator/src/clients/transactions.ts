import {
  ErrorCode,
  addOffsetsToTxnApi,
  addPartitionsToTxnApi,
  endTxnApi,
  errorName,
  txnOffsetCommitApi,
} from "@mantou/protocol";
import type { TopicLife, Where } from "../history.ts";
import type { ClientConnection } from "./connection.ts";
import { NoAnswer } from "./connection.ts";

/** From these versions on a write adds its partition by itself, and the end raises the epoch. */
export const NEW_FLOW = { produce: [12, 13], offsets: [5, 5], end: [5, 5] } as const;
export const OLD_FLOW = { produce: [3, 11], offsets: [0, 4], end: [0, 4] } as const;

/** Asked for again, the answer may be another one. */
const PASSING = new Set<number>([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.LEADER_NOT_AVAILABLE,
]);

/** The transaction cannot go on: its producer was fenced, or it has timed out. */
const LOST = new Set<number>([
  ErrorCode.PRODUCER_FENCED,
  ErrorCode.INVALID_PRODUCER_EPOCH,
  ErrorCode.INVALID_PRODUCER_ID_MAPPING,
  ErrorCode.INVALID_TXN_STATE,
  ErrorCode.TRANSACTION_ABORTABLE,
  ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
]);

/** Thrown where a transaction is lost. */
export class LostTransaction extends Error {
  override readonly name = "LostTransaction";

  constructor(readonly errorCode: number) {
    super(errorName(errorCode));
  }
}

/** Throws NoAnswer where it is to be asked again, LostTransaction where that is of no use. */
export function settleError(errorCode: number): void {
  if (errorCode === ErrorCode.NONE) return;
  if (PASSING.has(errorCode)) throw new NoAnswer(errorName(errorCode));
  if (LOST.has(errorCode)) throw new LostTransaction(errorCode);
  throw new Error(`a transaction was answered ${errorName(errorCode)}`);
}

/** Who has the transaction. */
export interface Holder {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
}

interface Place {
  readonly topic: TopicLife;
  readonly partition: number;
}

/** The old flow: partitions are added before they are written to. */
export async function addPartitions(
  connection: ClientConnection,
  version: number,
  { transactionalId, producerId, producerEpoch }: Holder,
  places: readonly Place[],
): Promise<void> {
  const { resultsByTopicV3AndBelow } = await connection.ask(addPartitionsToTxnApi, version, {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: places.map(({ topic, partition }) => ({
      name: topic.name,
      partitions: [partition],
    })),
  });
  for (const { resultsByPartition } of resultsByTopicV3AndBelow) {
    for (const { partitionErrorCode } of resultsByPartition) {
      if (partitionErrorCode !== ErrorCode.OPERATION_NOT_ATTEMPTED) {
        settleError(partitionErrorCode);
      }
    }
  }
}

/** The old flow: a group is added before its offsets are committed. */
export async function addGroup(
  connection: ClientConnection,
  version: number,
  holder: Holder,
  groupId: string,
): Promise<void> {
  const { transactionalId, producerId, producerEpoch } = holder;
  const request = { transactionalId, producerId, producerEpoch, groupId };
  settleError((await connection.ask(addOffsetsToTxnApi, version, request)).errorCode);
}

export async function commitInTransaction(
  connection: ClientConnection,
  version: number,
  { transactionalId, producerId, producerEpoch }: Holder,
  groupId: string,
  offsets: readonly (Place & { readonly where: Where; readonly offset: number })[],
): Promise<void> {
  const { topics } = await connection.ask(txnOffsetCommitApi, version, {
    transactionalId,
    groupId,
    producerId,
    producerEpoch,
    topics: offsets.map(({ topic, partition, offset }) => ({
      name: topic.name,
      topicId: topic.topicId,
      partitions: [{ partitionIndex: partition, committedOffset: offset, committedMetadata: null }],
    })),
  });
  for (const { partitions } of topics) {
    for (const { errorCode } of partitions) settleError(errorCode);
  }
}

/** Returns who the producer is from now on: the new flow raises the epoch. */
export async function endTransaction(
  connection: ClientConnection,
  version: number,
  { transactionalId, producerId, producerEpoch }: Holder,
  committed: boolean,
): Promise<Holder> {
  const request = { transactionalId, producerId, producerEpoch, committed };
  const answer = await connection.ask(endTxnApi, version, request);
  settleError(answer.errorCode);
  if (version < 5) return { transactionalId, producerId, producerEpoch };
  return {
    transactionalId,
    producerId: answer.producerId,
    producerEpoch: answer.producerEpoch,
  };
}
