import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, int8, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  groupId: string,
  topics: array(
    struct({ topicId: uuid, partitions: array(struct({ partition: int32, leaderEpoch: int32 })) }),
  ),
});

const response = struct({
  results: array(
    struct({
      topicId: uuid,
      partitions: array(
        struct({
          partition: int32,
          errorCode: int16,
          errorMessage: f(string, { nullable: true, default: null }),
          stateEpoch: int32,
          startOffset: int64,
          stateBatches: array(
            struct({
              firstOffset: int64,
              lastOffset: int64,
              deliveryState: int8,
              deliveryCount: int16,
            }),
          ),
        }),
      ),
    }),
  ),
});

/** Between brokers: the stored state of a share group's partition, with its batches. */
export const readShareGroupStateApi = defineApi({
  key: 84,
  name: "ReadShareGroupState",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type ReadShareGroupStateRequest = Infer<typeof request>;
export type ReadShareGroupStateRequestInput = InferInput<typeof request>;
export type ReadShareGroupStateResponse = Infer<typeof response>;
export type ReadShareGroupStateResponseInput = InferInput<typeof response>;
