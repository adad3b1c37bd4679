import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  groupId: string,
  topics: array(struct({ topicId: uuid, partitions: array(struct({ partition: int32 })) })),
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

/** Between coordinators: forgets the stored state of a share group's partition. */
export const deleteShareGroupStateApi = defineApi({
  key: 86,
  name: "DeleteShareGroupState",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type DeleteShareGroupStateRequest = Infer<typeof request>;
export type DeleteShareGroupStateRequestInput = InferInput<typeof request>;
export type DeleteShareGroupStateResponse = Infer<typeof response>;
export type DeleteShareGroupStateResponseInput = InferInput<typeof response>;
