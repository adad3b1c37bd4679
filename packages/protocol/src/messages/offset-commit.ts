import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  groupId: string,
  generationIdOrMemberEpoch: f(int32, { default: -1, ignorable: true }),
  memberId: f(string, { ignorable: true }),
  groupInstanceId: f(string, { since: 7, nullable: true, default: null }),
  retentionTimeMs: f(int64, { until: 4, default: -1, ignorable: true }),
  topics: array(
    struct({
      name: f(string, { until: 9, ignorable: true }),
      topicId: f(uuid, { since: 10, ignorable: true }),
      partitions: array(
        struct({
          partitionIndex: int32,
          committedOffset: int64,
          committedLeaderEpoch: f(int32, { since: 6, default: -1, ignorable: true }),
          committedMetadata: f(string, { nullable: true }),
        }),
      ),
    }),
  ),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 3, ignorable: true }),
  topics: array(
    struct({
      name: f(string, { until: 9, ignorable: true }),
      topicId: f(uuid, { since: 10, ignorable: true }),
      partitions: array(struct({ partitionIndex: int32, errorCode: int16 })),
    }),
  ),
});

/**
 * Stores a group's positions. Versions 2 to 4 carry a retention time that is no longer honoured;
 * 6 adds the leader epoch, 7 static members, 9 serves the consumer protocol, 10 knows topics by
 * id only.
 */
export const offsetCommitApi = defineApi({
  key: 8,
  name: "OffsetCommit",
  versions: [2, 10],
  flexible: 8,
  request,
  response,
});

export type OffsetCommitRequest = Infer<typeof request>;
export type OffsetCommitRequestInput = InferInput<typeof request>;
export type OffsetCommitResponse = Infer<typeof response>;
export type OffsetCommitResponseInput = InferInput<typeof response>;
