import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  topics: array(struct({ name: string, partitionIndexes: array(int32) })),
});

const response = struct({
  throttleTimeMs: int32,
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({
          partitionIndex: int32,
          errorCode: int16,
          errorMessage: f(string, { nullable: true, default: null }),
          activeProducers: array(
            struct({
              producerId: int64,
              producerEpoch: int32,
              lastSequence: f(int32, { default: -1 }),
              lastTimestamp: f(int64, { default: -1 }),
              coordinatorEpoch: int32,
              currentTxnStartOffset: f(int64, { default: -1 }),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** Producers that are active in partitions: their sequence and open transaction. */
export const describeProducersApi = defineApi({
  key: 61,
  name: "DescribeProducers",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type DescribeProducersRequest = Infer<typeof request>;
export type DescribeProducersRequestInput = InferInput<typeof request>;
export type DescribeProducersResponse = Infer<typeof response>;
export type DescribeProducersResponseInput = InferInput<typeof response>;
