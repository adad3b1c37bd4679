import { unreachable } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { InitProducerId } from "./commands.ts";
import { isEpochExhausted, isKnownProducer } from "./judge-producer.ts";
import type { Transaction } from "./transaction.ts";
import { NO_EPOCH, TransactionState } from "./transaction.ts";

/** What becomes of an InitProducerId. */
export type InitVerdict =
  | { readonly kind: "refuse"; readonly errorCode: ErrorCode }
  /** The same request again: the same answer. */
  | { readonly kind: "repeat" }
  /** A transaction is open: its producer is fenced and it is aborted; the client asks again. */
  | { readonly kind: "fence" }
  | { readonly kind: "bump" }
  | { readonly kind: "newId" };

const refuse = (errorCode: ErrorCode): InitVerdict => ({ kind: "refuse", errorCode });

/**
 * InitProducerId. Without an id and an epoch whoever held the transactional id before is fenced;
 * with them, only the current producer gets a new epoch (KIP-360).
 */
export function initVerdict(
  transaction: Transaction | undefined,
  { producerEpoch, producerId }: InitProducerId,
): InitVerdict {
  if (transaction === undefined) return { kind: "newId" };
  const isResume = producerEpoch !== NO_EPOCH;
  if (isResume && !isKnownProducer(transaction, producerId, producerEpoch)) {
    return refuse(ErrorCode.PRODUCER_FENCED);
  }
  const { state } = transaction;
  switch (state) {
    case TransactionState.PREPARE_COMMIT:
    case TransactionState.PREPARE_ABORT:
      return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
    case TransactionState.ONGOING:
      return { kind: "fence" };
    case TransactionState.EMPTY:
    case TransactionState.COMPLETE_COMMIT:
    case TransactionState.COMPLETE_ABORT:
    case TransactionState.DEAD:
    case TransactionState.PREPARE_EPOCH_FENCE: {
      const isCurrent =
        transaction.producerId === producerId && transaction.producerEpoch === producerEpoch;
      if (isResume && !isCurrent) return { kind: "repeat" };
      return isEpochExhausted(transaction) ? { kind: "newId" } : { kind: "bump" };
    }
    default:
      return unreachable(state);
  }
}
