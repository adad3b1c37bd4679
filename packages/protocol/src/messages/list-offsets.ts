import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, int8, string, struct } from "../schema/types.ts";

const request = struct({
  replicaId: int32,
  isolationLevel: f(int8, { since: 2 }),
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({
          partitionIndex: int32,
          currentLeaderEpoch: f(int32, { since: 4, default: -1, ignorable: true }),
          timestamp: int64,
        }),
      ),
    }),
  ),
  timeoutMs: f(int32, { since: 10, ignorable: true }),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 2, ignorable: true }),
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({
          partitionIndex: int32,
          errorCode: int16,
          timestamp: f(int64, { default: -1 }),
          offset: f(int64, { default: -1 }),
          leaderEpoch: f(int32, { since: 4, default: -1 }),
        }),
      ),
    }),
  ),
});

/**
 * The offset that belongs to a timestamp. Negative timestamps have a meaning of their own: -1
 * the end, -2 the start, and from versions 7, 8, 9 and 11 further ones.
 */
export const listOffsetsApi = defineApi({
  key: 2,
  name: "ListOffsets",
  versions: [1, 11],
  flexible: 6,
  request,
  response,
});

export type ListOffsetsRequest = Infer<typeof request>;
export type ListOffsetsRequestInput = InferInput<typeof request>;
export type ListOffsetsResponse = Infer<typeof response>;
export type ListOffsetsResponseInput = InferInput<typeof response>;
