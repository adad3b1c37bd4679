import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, int8, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  groupId: string,
  topics: array(
    struct({
      topicId: uuid,
      partitions: array(
        struct({
          partition: int32,
          stateEpoch: int32,
          leaderEpoch: int32,
          startOffset: int64,
          deliveryCompleteCount: f(int32, { since: 1, default: -1, ignorable: true }),
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

const response = struct({
  results: array(
    struct({
      topicId: uuid,
      partitions: array(
        struct({
          partition: int32,
          errorCode: int16,
          errorMessage: f(string, { nullable: true, default: null }),
        }),
      ),
    }),
  ),
});

/** Between brokers: stores how far a share group's partition has come. */
export const writeShareGroupStateApi = defineApi({
  key: 85,
  name: "WriteShareGroupState",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type WriteShareGroupStateRequest = Infer<typeof request>;
export type WriteShareGroupStateRequestInput = InferInput<typeof request>;
export type WriteShareGroupStateResponse = Infer<typeof response>;
export type WriteShareGroupStateResponseInput = InferInput<typeof response>;
