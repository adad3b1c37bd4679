import type { TxnOffsetCommitRequest, TxnOffsetCommitResponseInput } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { PartitionsReply, TransactionCommand } from "@mantou/transactions";
import { CONSUMER_OFFSETS } from "../coordinators/internal-topics.ts";
import { coordinatorPartition } from "../coordinators/placement.ts";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer, waits } from "../handler.ts";
import type { Refused } from "../refusals.ts";

/** From here on TRANSACTION_ABORTABLE is known, and from there on committing adds (KIP-890). */
const ABORTABLE_SINCE = 4;
const IMPLICIT_ADD_SINCE = 5;

/**
 * Commits a group's offsets as part of a transaction. The coordinator of the transaction is asked
 * first whether the group's partition is in it, or adds it: offsets must not wait for a marker
 * that nobody will write.
 */
export function handleTxnOffsetCommit(
  broker: BrokerContext,
  call: Call,
  request: TxnOffsetCommitRequest,
): Outcome<TxnOffsetCommitResponseInput> {
  const { groupId, transactionalId } = request;
  const refuse = (errorCode: ErrorCode): TxnOffsetCommitResponseInput =>
    refuseTxnOffsetCommit(request, { errorCode });
  if (transactionalId === "") return answer(refuse(ErrorCode.INVALID_REQUEST));
  if (groupId === "") return answer(refuse(ErrorCode.INVALID_GROUP_ID));
  const offsets = broker.image.topicByName(CONSUMER_OFFSETS);
  // A full disk keeps what is left for deletes and metadata.
  if (offsets === undefined || !broker.acceptsAppends)
    return answer(refuse(ErrorCode.COORDINATOR_NOT_AVAILABLE));
  const partition = coordinatorPartition(groupId, offsets.partitionCount);
  const { version } = call;
  return waits((respond) => {
    const commit = (): void =>
      broker.groups.ask(
        groupId,
        { kind: "txnOffsetCommit", request, version },
        (errorCode, reply) =>
          respond(reply === null ? refuse(errorCode) : { ...reply, throttleTimeMs: 0 }),
      );
    if (version < IMPLICIT_ADD_SINCE && !broker.config.transactions.verifiesPartitions) {
      commit();
      return;
    }
    // What follows an answer at once comes before the marker of a decision that follows it.
    broker.transactions.ask(
      transactionalId,
      question(request, version, partition),
      (code, reply) => {
        const errorCode = verdict(code, reply as PartitionsReply | null, version);
        if (errorCode === ErrorCode.NONE) commit();
        else respond(refuse(errorCode));
      },
    );
  });
}

export const refuseTxnOffsetCommit = (
  request: TxnOffsetCommitRequest,
  { errorCode }: Refused,
): TxnOffsetCommitResponseInput => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, partitions, topicId }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  })),
});

function question(
  { producerEpoch, producerId, transactionalId }: TxnOffsetCommitRequest,
  version: number,
  partition: number,
): TransactionCommand {
  const topics = [{ topic: CONSUMER_OFFSETS, partitions: [partition] }];
  const ids = { transactionalId, producerId, producerEpoch, topics };
  return version >= IMPLICIT_ADD_SINCE
    ? { kind: "addPartitions", ...ids, clientVersion: 2 }
    : { kind: "verifyPartitions", ...ids };
}

/** The transaction coordinator's word in that of TxnOffsetCommit. */
function verdict(code: ErrorCode, reply: PartitionsReply | null, version: number): ErrorCode {
  if (reply === null) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  const errorCode = reply.refused.length > 0 ? reply.refusedCode : reply.errorCode;
  switch (errorCode) {
    case ErrorCode.PRODUCER_FENCED:
      return ErrorCode.INVALID_PRODUCER_EPOCH;
    case ErrorCode.TRANSACTION_ABORTABLE:
      return version >= ABORTABLE_SINCE ? errorCode : ErrorCode.INVALID_TXN_STATE;
    case ErrorCode.CONCURRENT_TRANSACTIONS:
      return version >= IMPLICIT_ADD_SINCE ? errorCode : ErrorCode.COORDINATOR_NOT_AVAILABLE;
    default:
      return code === ErrorCode.NONE ? errorCode : code;
  }
}
