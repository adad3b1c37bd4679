import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  groupId: string,
  topics: array(struct({ topicName: string })),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, default: null }),
  responses: array(
    struct({
      topicName: string,
      topicId: uuid,
      errorCode: int16,
      errorMessage: f(string, { nullable: true, default: null }),
    }),
  ),
});

/** Forgets a share group's offsets for topics. */
export const deleteShareGroupOffsetsApi = defineApi({
  key: 92,
  name: "DeleteShareGroupOffsets",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type DeleteShareGroupOffsetsRequest = Infer<typeof request>;
export type DeleteShareGroupOffsetsRequestInput = InferInput<typeof request>;
export type DeleteShareGroupOffsetsResponse = Infer<typeof response>;
export type DeleteShareGroupOffsetsResponseInput = InferInput<typeof response>;
