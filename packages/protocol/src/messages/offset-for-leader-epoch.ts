import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  replicaId: f(int32, { since: 3, default: -2, ignorable: true }),
  topics: array(
    struct({
      topic: string,
      partitions: array(
        struct({
          partition: int32,
          currentLeaderEpoch: f(int32, { default: -1, ignorable: true }),
          leaderEpoch: int32,
        }),
      ),
    }),
  ),
});

const response = struct({
  throttleTimeMs: f(int32, { ignorable: true }),
  topics: array(
    struct({
      topic: string,
      partitions: array(
        struct({
          errorCode: int16,
          partition: int32,
          leaderEpoch: f(int32, { default: -1, ignorable: true }),
          endOffset: f(int64, { default: -1 }),
        }),
      ),
    }),
  ),
});

/**
 * Where an epoch ends in the leader's log, so that replicas and consumers find where theirs
 * diverges.
 */
export const offsetForLeaderEpochApi = defineApi({
  key: 23,
  name: "OffsetForLeaderEpoch",
  versions: [2, 4],
  flexible: 4,
  request,
  response,
});

export type OffsetForLeaderEpochRequest = Infer<typeof request>;
export type OffsetForLeaderEpochRequestInput = InferInput<typeof request>;
export type OffsetForLeaderEpochResponse = Infer<typeof response>;
export type OffsetForLeaderEpochResponseInput = InferInput<typeof response>;
