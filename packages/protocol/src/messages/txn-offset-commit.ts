import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  transactionalId: string,
  groupId: string,
  producerId: int64,
  producerEpoch: int16,
  generationIdOrMemberEpoch: f(int32, { since: 3, default: -1 }),
  memberId: f(string, { since: 3, default: "" }),
  groupInstanceId: f(string, { since: 3, nullable: true, default: null }),
  topics: array(
    struct({
      name: f(string, { until: 5, ignorable: true }),
      topicId: f(uuid, { since: 6, ignorable: true }),
      partitions: array(
        struct({
          partitionIndex: int32,
          committedOffset: int64,
          committedLeaderEpoch: f(int32, { since: 2, default: -1, ignorable: true }),
          committedMetadata: f(string, { nullable: true }),
        }),
      ),
    }),
  ),
});

const response = struct({
  throttleTimeMs: int32,
  topics: array(
    struct({
      name: f(string, { until: 5, ignorable: true }),
      topicId: f(uuid, { since: 6, ignorable: true }),
      partitions: array(struct({ partitionIndex: int32, errorCode: int16 })),
    }),
  ),
});

/**
 * Stores a group's positions as part of a transaction. Version 3 adds the member and its
 * generation, 5 adds the group to the transaction by itself, 6 knows topics by id only.
 */
export const txnOffsetCommitApi = defineApi({
  key: 28,
  name: "TxnOffsetCommit",
  versions: [0, 6],
  flexible: 3,
  request,
  response,
});

export type TxnOffsetCommitRequest = Infer<typeof request>;
export type TxnOffsetCommitRequestInput = InferInput<typeof request>;
export type TxnOffsetCommitResponse = Infer<typeof response>;
export type TxnOffsetCommitResponseInput = InferInput<typeof response>;
