import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  transactionalIds: array(string),
});

const response = struct({
  throttleTimeMs: int32,
  transactionStates: array(
    struct({
      errorCode: int16,
      transactionalId: string,
      transactionState: string,
      transactionTimeoutMs: int32,
      transactionStartTimeMs: int64,
      producerId: int64,
      producerEpoch: int16,
      topics: array(struct({ topic: string, partitions: array(int32) })),
    }),
  ),
});

/** State and partitions of transactions by transactional id. */
export const describeTransactionsApi = defineApi({
  key: 65,
  name: "DescribeTransactions",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type DescribeTransactionsRequest = Infer<typeof request>;
export type DescribeTransactionsRequestInput = InferInput<typeof request>;
export type DescribeTransactionsResponse = Infer<typeof response>;
export type DescribeTransactionsResponseInput = InferInput<typeof response>;
