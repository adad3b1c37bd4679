import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  groupId: string,
  topics: array(
    struct({
      topicId: uuid,
      partitions: array(struct({ partition: int32, stateEpoch: int32, startOffset: int64 })),
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

/** Between coordinators: starts the stored state of a share group's partition. */
export const initializeShareGroupStateApi = defineApi({
  key: 83,
  name: "InitializeShareGroupState",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type InitializeShareGroupStateRequest = Infer<typeof request>;
export type InitializeShareGroupStateRequestInput = InferInput<typeof request>;
export type InitializeShareGroupStateResponse = Infer<typeof response>;
export type InitializeShareGroupStateResponseInput = InferInput<typeof response>;
