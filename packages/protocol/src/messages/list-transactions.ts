import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  stateFilters: array(string),
  producerIdFilters: array(int64),
  durationFilter: f(int64, { since: 1, default: -1 }),
  transactionalIdPattern: f(string, { since: 2, nullable: true, default: null }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  unknownStateFilters: array(string),
  transactionStates: array(
    struct({ transactionalId: string, producerId: int64, transactionState: string }),
  ),
});

/**
 * Transactions that a coordinator knows, filtered by state and producer, from version 1 by age
 * and from 2 by a pattern of their ids.
 */
export const listTransactionsApi = defineApi({
  key: 66,
  name: "ListTransactions",
  versions: [0, 2],
  flexible: 0,
  request,
  response,
});

export type ListTransactionsRequest = Infer<typeof request>;
export type ListTransactionsRequestInput = InferInput<typeof request>;
export type ListTransactionsResponse = Infer<typeof response>;
export type ListTransactionsResponseInput = InferInput<typeof response>;
