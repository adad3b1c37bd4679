import { compileTopicPattern } from "@mantou/groups";
import type { ListTransactionsRequest, ListTransactionsResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { ListTransactions, TransactionListing } from "@mantou/transactions";
import { transactionStateName, transactionStateOf } from "@mantou/transactions";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { gather } from "./ask-groups.ts";
import type { ReplyOf } from "./ask-transactions.ts";

/** The transactions that this broker coordinates (KIP-664). While some are loaded, come back. */
export function handleListTransactions(
  broker: BrokerContext,
  _call: Call,
  request: ListTransactionsRequest,
): Outcome<ListTransactionsResponse> {
  const partitions = broker.transactions.activePartitions();
  if (partitions === null) {
    const errorCode = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
    return answer(refuseListTransactions(request, { errorCode }));
  }
  const known = request.stateFilters.filter((name) => transactionStateOf(name) !== undefined);
  const unknown = request.stateFilters.filter((name) => !known.includes(name));
  const matches = matcherOf(request.transactionalIdPattern);
  if (matches === null) {
    return answer(
      refuseListTransactions(request, { errorCode: ErrorCode.INVALID_REGULAR_EXPRESSION }),
    );
  }
  // Only states that do not exist: nothing is in any of them.
  if (unknown.length > 0 && known.length === 0) return answer(respond(unknown, []));
  const command: ListTransactions = {
    kind: "list",
    states: known.flatMap((name) => transactionStateOf(name) ?? []),
    producerIds: request.producerIdFilters,
    runningMs: request.durationFilter,
  };
  return gather<number, readonly TransactionListing[], ListTransactionsResponse>(
    partitions,
    // What this broker stopped to lead meanwhile is another's to list.
    (partition, settle) =>
      broker.transactions.askPartition(partition, command, (_, reply) =>
        settle((reply as ReplyOf<"list"> | null)?.transactions ?? []),
      ),
    (parts) =>
      respond(
        unknown,
        parts.flat().filter(({ transactionalId }) => matches(transactionalId)),
      ),
  );
}

export const refuseListTransactions = (
  _request: ListTransactionsRequest,
  { errorCode }: Refused,
): ListTransactionsResponse => ({ ...respond([], []), errorCode });

/** Null: the pattern is no RE2 expression. */
function matcherOf(pattern: string | null): ((transactionalId: string) => boolean) | null {
  if (pattern === null || pattern === "") return () => true;
  const compiled = compileTopicPattern(pattern);
  if (!compiled.ok) return null;
  return (transactionalId) => compiled.value.matches(transactionalId);
}

const respond = (
  unknownStateFilters: string[],
  transactions: readonly TransactionListing[],
): ListTransactionsResponse => ({
  throttleTimeMs: 0,
  errorCode: ErrorCode.NONE,
  unknownStateFilters,
  transactionStates: transactions.map(({ producerId, state, transactionalId }) => ({
    transactionalId,
    producerId,
    transactionState: transactionStateName(state),
  })),
});
