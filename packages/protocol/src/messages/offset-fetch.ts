import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int64, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  groupId: f(string, { until: 7 }),
  topics: f(array(struct({ name: string, partitionIndexes: array(int32) })), {
    until: 7,
    nullable: 2,
  }),
  groups: f(
    array(
      struct({
        groupId: string,
        memberId: f(string, { since: 9, nullable: true, default: null, ignorable: true }),
        memberEpoch: f(int32, { since: 9, default: -1, ignorable: true }),
        topics: f(
          array(
            struct({
              name: f(string, { until: 9, ignorable: true }),
              topicId: f(uuid, { since: 10, ignorable: true }),
              partitionIndexes: array(int32),
            }),
          ),
          { nullable: true },
        ),
      }),
    ),
    { since: 8 },
  ),
  requireStable: f(bool, { since: 7, default: false }),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 3, ignorable: true }),
  topics: f(
    array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: f(int32, { since: 5, default: -1, ignorable: true }),
            metadata: f(string, { nullable: true }),
            errorCode: int16,
          }),
        ),
      }),
    ),
    { until: 7 },
  ),
  errorCode: f(int16, { since: 2, until: 7, default: 0, ignorable: true }),
  groups: f(
    array(
      struct({
        groupId: string,
        topics: array(
          struct({
            name: f(string, { until: 9, ignorable: true }),
            topicId: f(uuid, { since: 10, ignorable: true }),
            partitions: array(
              struct({
                partitionIndex: int32,
                committedOffset: int64,
                committedLeaderEpoch: f(int32, { default: -1, ignorable: true }),
                metadata: f(string, { nullable: true }),
                errorCode: int16,
              }),
            ),
          }),
        ),
        errorCode: f(int16, { default: 0 }),
      }),
    ),
    { since: 8 },
  ),
});

/**
 * A group's stored positions. Up to version 7 for one group with its error at the top, from 8
 * for many groups at once; a null list of topics means all. Version 10 knows topics by id only.
 */
export const offsetFetchApi = defineApi({
  key: 9,
  name: "OffsetFetch",
  versions: [1, 10],
  flexible: 6,
  request,
  response,
});

export type OffsetFetchRequest = Infer<typeof request>;
export type OffsetFetchRequestInput = InferInput<typeof request>;
export type OffsetFetchResponse = Infer<typeof response>;
export type OffsetFetchResponseInput = InferInput<typeof response>;
