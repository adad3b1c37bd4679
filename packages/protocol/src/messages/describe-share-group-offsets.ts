import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  groups: array(
    struct({
      groupId: string,
      topics: f(array(struct({ topicName: string, partitions: array(int32) })), { nullable: true }),
    }),
  ),
});

const response = struct({
  throttleTimeMs: int32,
  groups: array(
    struct({
      groupId: string,
      topics: array(
        struct({
          topicName: string,
          topicId: uuid,
          partitions: array(
            struct({
              partitionIndex: int32,
              startOffset: int64,
              leaderEpoch: int32,
              lag: f(int64, { since: 1, default: -1, ignorable: true }),
              errorCode: int16,
              errorMessage: f(string, { nullable: true, default: null }),
            }),
          ),
        }),
      ),
      errorCode: int16,
      errorMessage: f(string, { nullable: true, default: null }),
    }),
  ),
});

/** Start offsets of share groups; a null list of topics means all. */
export const describeShareGroupOffsetsApi = defineApi({
  key: 90,
  name: "DescribeShareGroupOffsets",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type DescribeShareGroupOffsetsRequest = Infer<typeof request>;
export type DescribeShareGroupOffsetsRequestInput = InferInput<typeof request>;
export type DescribeShareGroupOffsetsResponse = Infer<typeof response>;
export type DescribeShareGroupOffsetsResponseInput = InferInput<typeof response>;
