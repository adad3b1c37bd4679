import { unreachable } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { EndTransaction } from "./commands.ts";
import { isEndRepeated } from "./judge-producer.ts";
import type { Transaction } from "./transaction.ts";
import { TransactionState } from "./transaction.ts";

/** What becomes of an EndTxn: the transaction ends now, or there is an answer already. */
export type EndVerdict =
  | { readonly kind: "end"; readonly errorCode: typeof ErrorCode.NONE }
  | { readonly kind: "answer"; readonly errorCode: ErrorCode };

const end: EndVerdict = { kind: "end", errorCode: ErrorCode.NONE };
const answer = (errorCode: ErrorCode): EndVerdict => ({ kind: "answer", errorCode });

export const endVerdict = (
  transaction: Transaction | undefined,
  command: EndTransaction,
): EndVerdict => {
  if (transaction === undefined) return answer(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  return command.clientVersion >= 2
    ? endWithNewEpoch(transaction, command)
    : endWithSameEpoch(transaction, command);
};

/** The old flow: only the current epoch may end, and the same end may be asked for again. */
function endWithSameEpoch(transaction: Transaction, command: EndTransaction): EndVerdict {
  const { isCommit, producerEpoch, producerId } = command;
  if (transaction.producerId !== producerId) {
    return answer(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  }
  if (transaction.producerEpoch !== producerEpoch) return answer(ErrorCode.PRODUCER_FENCED);
  const { state } = transaction;
  switch (state) {
    case TransactionState.ONGOING:
      return end;
    case TransactionState.PREPARE_COMMIT:
      return answer(isCommit ? ErrorCode.CONCURRENT_TRANSACTIONS : ErrorCode.INVALID_TXN_STATE);
    case TransactionState.PREPARE_ABORT:
      return answer(isCommit ? ErrorCode.INVALID_TXN_STATE : ErrorCode.CONCURRENT_TRANSACTIONS);
    case TransactionState.COMPLETE_COMMIT:
      return answer(isCommit ? ErrorCode.NONE : ErrorCode.INVALID_TXN_STATE);
    case TransactionState.COMPLETE_ABORT:
      return answer(isCommit ? ErrorCode.INVALID_TXN_STATE : ErrorCode.NONE);
    case TransactionState.EMPTY:
    case TransactionState.DEAD:
    case TransactionState.PREPARE_EPOCH_FENCE:
      return answer(ErrorCode.INVALID_TXN_STATE);
    default:
      return unreachable(state);
  }
}

/**
 * The new flow (KIP-890): the end raises the epoch, so the epoch below the current one is the same
 * request again, and the current one means the next transaction. One that wrote nothing may be
 * aborted.
 */
function endWithNewEpoch(transaction: Transaction, command: EndTransaction): EndVerdict {
  const { isCommit, producerEpoch, producerId } = command;
  const isRepeated = isEndRepeated(transaction, producerId, producerEpoch);
  const { nextProducerId, state } = transaction;
  const isPending =
    state === TransactionState.PREPARE_COMMIT || state === TransactionState.PREPARE_ABORT;
  if (isPending && nextProducerId === producerId && producerEpoch === 0) {
    return answer(ErrorCode.CONCURRENT_TRANSACTIONS);
  }
  if (transaction.producerId !== producerId && !isRepeated) {
    return answer(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  }
  const isCurrent =
    transaction.producerId === producerId && transaction.producerEpoch === producerEpoch;
  switch (state) {
    case TransactionState.ONGOING:
      return isCurrent ? end : answer(ErrorCode.PRODUCER_FENCED);
    case TransactionState.EMPTY:
      if (!isCurrent) return answer(ErrorCode.PRODUCER_FENCED);
      return isCommit ? answer(ErrorCode.INVALID_TXN_STATE) : end;
    case TransactionState.PREPARE_COMMIT:
    case TransactionState.PREPARE_ABORT: {
      // Of the current epoch is the next transaction, which wrote nothing yet, and waits.
      if (isCurrent && !isCommit) return answer(ErrorCode.CONCURRENT_TRANSACTIONS);
      if (!isRepeated) return answer(ErrorCode.PRODUCER_FENCED);
      const isSame = isCommit === (state === TransactionState.PREPARE_COMMIT);
      return answer(isSame ? ErrorCode.CONCURRENT_TRANSACTIONS : ErrorCode.INVALID_TXN_STATE);
    }
    case TransactionState.COMPLETE_COMMIT:
    case TransactionState.COMPLETE_ABORT: {
      if (isRepeated) {
        const isSame = isCommit === (state === TransactionState.COMPLETE_COMMIT);
        return answer(isSame ? ErrorCode.NONE : ErrorCode.INVALID_TXN_STATE);
      }
      if (!isCurrent) return answer(ErrorCode.PRODUCER_FENCED);
      return isCommit ? answer(ErrorCode.INVALID_TXN_STATE) : end;
    }
    case TransactionState.DEAD:
    case TransactionState.PREPARE_EPOCH_FENCE:
      return answer(ErrorCode.INVALID_TXN_STATE);
    default:
      return unreachable(state);
  }
}
