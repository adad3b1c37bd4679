import type { Moment } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { ListTransactions, TransactionReply, VerifyPartitions } from "./commands.ts";
import { partitionsReply } from "./effects.ts";
import { producerFault } from "./judge-producer.ts";
import type { Transaction } from "./transaction.ts";
import { isPrepared, listOf, missingFrom } from "./transaction.ts";

/** Answers that change nothing. */

export function verifyPartitions(
  transaction: Transaction | undefined,
  { producerEpoch, producerId, topics }: VerifyPartitions,
): TransactionReply {
  const fault = producerFault(transaction, producerId, producerEpoch);
  if (fault !== ErrorCode.NONE || transaction === undefined) return partitionsReply(fault);
  if (isPrepared(transaction)) return partitionsReply(ErrorCode.CONCURRENT_TRANSACTIONS);
  return {
    ...partitionsReply(ErrorCode.NONE),
    refused: missingFrom(transaction.partitions, topics),
    refusedCode: ErrorCode.TRANSACTION_ABORTABLE,
  };
}

export function describeTransaction(transaction: Transaction | undefined): TransactionReply {
  if (transaction === undefined) {
    const errorCode = ErrorCode.TRANSACTIONAL_ID_NOT_FOUND;
    return { kind: "description", errorCode, description: null };
  }
  const { producerEpoch, producerId, startMs, state, timeoutMs, transactionalId } = transaction;
  const topics = listOf(transaction.partitions);
  return {
    kind: "description",
    errorCode: ErrorCode.NONE,
    description: { transactionalId, state, timeoutMs, startMs, producerId, producerEpoch, topics },
  };
}

export function listTransactions(
  transactions: Iterable<Transaction>,
  { producerIds, runningMs, states }: ListTransactions,
  now: Moment,
): TransactionReply {
  const isListed = ({ partitions, producerId, startMs, state }: Transaction): boolean => {
    if (states.length > 0 && !states.includes(state)) return false;
    if (producerIds.length > 0 && !producerIds.includes(producerId)) return false;
    if (runningMs < 0) return true;
    return startMs >= 0 && partitions.size > 0 && now.wallMs - startMs > runningMs;
  };
  const listed = [];
  for (const transaction of transactions) {
    if (!isListed(transaction)) continue;
    const { producerId, state, transactionalId } = transaction;
    listed.push({ transactionalId, producerId, state });
  }
  return { kind: "list", transactions: listed };
}
