import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  groupId: string,
  topics: array(
    struct({
      topicName: string,
      partitions: array(struct({ partitionIndex: int32, startOffset: int64 })),
    }),
  ),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, default: null }),
  responses: array(
    struct({
      topicName: string,
      topicId: uuid,
      partitions: array(
        struct({
          partitionIndex: int32,
          errorCode: int16,
          errorMessage: f(string, { nullable: true, default: null }),
        }),
      ),
    }),
  ),
});

/** Sets start offsets of a share group that has no members. */
export const alterShareGroupOffsetsApi = defineApi({
  key: 91,
  name: "AlterShareGroupOffsets",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type AlterShareGroupOffsetsRequest = Infer<typeof request>;
export type AlterShareGroupOffsetsRequestInput = InferInput<typeof request>;
export type AlterShareGroupOffsetsResponse = Infer<typeof response>;
export type AlterShareGroupOffsetsResponseInput = InferInput<typeof response>;
