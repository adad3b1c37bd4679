import { ErrorCode } from "@mantou/protocol";
import type { Transaction } from "./transaction.ts";
import {
  EPOCH_MAX,
  EPOCH_USABLE_MAX,
  NO_EPOCH,
  NO_PRODUCER_ID,
  TransactionState,
  isComplete,
  isPrepared,
} from "./transaction.ts";

/**
 * Whether a producer may take part in the current transaction of its id. While a transaction is
 * being completed its producer may hold the id that it goes on with already.
 */
export function producerFault(
  transaction: Transaction | undefined,
  producerId: number,
  producerEpoch: number,
): ErrorCode {
  if (transaction === undefined) return ErrorCode.INVALID_PRODUCER_ID_MAPPING;
  if (isSuccessor(transaction, producerId, producerEpoch)) return ErrorCode.NONE;
  if (transaction.producerId !== producerId) return ErrorCode.INVALID_PRODUCER_ID_MAPPING;
  return transaction.producerEpoch === producerEpoch ? ErrorCode.NONE : ErrorCode.PRODUCER_FENCED;
}

/** The producer goes on with the id that it was given when the epochs of the old one were used up. */
const isSuccessor = (
  transaction: Transaction,
  producerId: number,
  producerEpoch: number,
): boolean =>
  isPrepared(transaction) &&
  transaction.nextProducerId !== NO_PRODUCER_ID &&
  transaction.nextProducerId === producerId &&
  producerEpoch === 0;

/**
 * Whether the epoch was raised by the EndTxn that carried `producerEpoch`, so that this one is
 * the same request again (KIP-890). An abort by the coordinator must not look like that: it
 * raises the epoch by two, and the highest epoch is nobody's but its own unless the producer was
 * given a new id with it.
 */
export function isEndRepeated(
  transaction: Transaction,
  producerId: number,
  producerEpoch: number,
): boolean {
  if (transaction.producerId === producerId) {
    if (transaction.producerEpoch !== producerEpoch + 1) return false;
    return transaction.producerEpoch !== EPOCH_MAX || transaction.nextProducerId !== NO_PRODUCER_ID;
  }
  return (
    isComplete(transaction) &&
    transaction.previousProducerId === producerId &&
    producerEpoch === EPOCH_USABLE_MAX &&
    transaction.producerEpoch === 0
  );
}

/** Whether an InitProducerId that brings an id and an epoch may come from the current producer. */
export function isKnownProducer(
  transaction: Transaction,
  producerId: number,
  producerEpoch: number,
): boolean {
  if (transaction.producerEpoch === NO_EPOCH) return true;
  if (transaction.producerId === producerId) {
    return (
      transaction.producerEpoch === producerEpoch ||
      (transaction.state !== TransactionState.ONGOING &&
        transaction.lastProducerEpoch === producerEpoch)
    );
  }
  if (isPrepared(transaction) && transaction.nextProducerId === producerId) return true;
  // The epochs were used up and the answer with the new id was lost. Had somebody else been given
  // that id, the last epoch would not be remembered.
  return (
    transaction.previousProducerId === producerId &&
    transaction.lastProducerEpoch === producerEpoch &&
    transaction.producerEpoch === 0 &&
    transaction.state !== TransactionState.ONGOING
  );
}

export const isEpochExhausted = ({ producerEpoch }: Transaction): boolean =>
  producerEpoch >= EPOCH_USABLE_MAX;

/** The epoch with which the coordinator aborts a transaction against its producer's will. */
export function fencingEpoch({ clientVersion, producerEpoch }: Transaction): number {
  const raised = producerEpoch + (clientVersion >= 2 ? 2 : 1);
  return Math.min(raised, EPOCH_MAX);
}
