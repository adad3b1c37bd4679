import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct, uuid } from "../schema/types.ts";

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
          leaderEpoch: int32,
          startOffset: int64,
          deliveryCompleteCount: f(int32, { since: 1, default: -1, ignorable: true }),
        }),
      ),
    }),
  ),
});

/**
 * Between coordinators: start offset and epochs of a share group's partition, without its
 * batches.
 */
export const readShareGroupStateSummaryApi = defineApi({
  key: 87,
  name: "ReadShareGroupStateSummary",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type ReadShareGroupStateSummaryRequest = Infer<typeof request>;
export type ReadShareGroupStateSummaryRequestInput = InferInput<typeof request>;
export type ReadShareGroupStateSummaryResponse = Infer<typeof response>;
export type ReadShareGroupStateSummaryResponseInput = InferInput<typeof response>;
