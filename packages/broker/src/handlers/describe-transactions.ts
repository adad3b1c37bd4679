import type { DescribeTransactionsRequest, DescribeTransactionsResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import { transactionStateName } from "@mantou/transactions";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { gather } from "./ask-groups.ts";
import type { ReplyOf } from "./ask-transactions.ts";

type Described = DescribeTransactionsResponse["transactionStates"][number];

/** State and partitions of transactions by their ids (KIP-664). */
export function handleDescribeTransactions(
  broker: BrokerContext,
  _call: Call,
  request: DescribeTransactionsRequest,
): Outcome<DescribeTransactionsResponse> {
  return gather(
    request.transactionalIds,
    (transactionalId, settle: (one: Described) => void) => {
      if (transactionalId === "") {
        settle(nothing(transactionalId, ErrorCode.INVALID_REQUEST));
        return;
      }
      const command = { kind: "describe", transactionalId } as const;
      broker.transactions.ask(transactionalId, command, (errorCode, reply) =>
        settle(described(transactionalId, errorCode, reply as ReplyOf<"description"> | null)),
      );
    },
    (transactionStates) => ({ throttleTimeMs: 0, transactionStates }),
  );
}

export const refuseDescribeTransactions = (
  request: DescribeTransactionsRequest,
  { errorCode }: Refused,
): DescribeTransactionsResponse => ({
  throttleTimeMs: 0,
  transactionStates: request.transactionalIds.map((id) => nothing(id, errorCode)),
});

function described(
  transactionalId: string,
  errorCode: ErrorCode,
  reply: ReplyOf<"description"> | null,
): Described {
  const found = reply?.description ?? null;
  if (found === null) return nothing(transactionalId, reply?.errorCode ?? errorCode);
  return {
    errorCode: ErrorCode.NONE,
    transactionalId,
    transactionState: transactionStateName(found.state),
    transactionTimeoutMs: found.timeoutMs,
    transactionStartTimeMs: found.startMs,
    producerId: found.producerId,
    producerEpoch: found.producerEpoch,
    topics: found.topics.map(({ partitions, topic }) => ({ topic, partitions: [...partitions] })),
  };
}

const nothing = (transactionalId: string, errorCode: ErrorCode): Described => ({
  errorCode,
  transactionalId,
  transactionState: "",
  transactionTimeoutMs: 0,
  transactionStartTimeMs: 0,
  producerId: 0,
  producerEpoch: 0,
  topics: [],
});
