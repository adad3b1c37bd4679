import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import {
  array,
  f,
  int16,
  int32,
  int64,
  int8,
  records,
  string,
  struct,
  uuid,
} from "../schema/types.ts";

const request = struct({
  clusterId: f(string, { since: 12, nullable: true, default: null, tag: 0, ignorable: true }),
  replicaId: f(int32, { until: 14, default: -1 }),
  replicaState: f(
    struct({ replicaId: f(int32, { default: -1 }), replicaEpoch: f(int64, { default: -1 }) }),
    { since: 15, tag: 1 },
  ),
  maxWaitMs: int32,
  minBytes: int32,
  maxBytes: f(int32, { default: 0x7fff_ffff, ignorable: true }),
  isolationLevel: f(int8, { default: 0, ignorable: true }),
  sessionId: f(int32, { since: 7, default: 0, ignorable: true }),
  sessionEpoch: f(int32, { since: 7, default: -1, ignorable: true }),
  topics: array(
    struct({
      topic: f(string, { until: 12, ignorable: true }),
      topicId: f(uuid, { since: 13, ignorable: true }),
      partitions: array(
        struct({
          partition: int32,
          currentLeaderEpoch: f(int32, { since: 9, default: -1, ignorable: true }),
          fetchOffset: int64,
          lastFetchedEpoch: f(int32, { since: 12, default: -1 }),
          logStartOffset: f(int64, { since: 5, default: -1, ignorable: true }),
          partitionMaxBytes: int32,
          replicaDirectoryId: f(uuid, { since: 17, tag: 0, ignorable: true }),
          highWatermark: f(int64, {
            since: 18,
            default: Number.MAX_SAFE_INTEGER,
            tag: 1,
            ignorable: true,
          }),
        }),
      ),
    }),
  ),
  forgottenTopicsData: f(
    array(
      struct({
        topic: f(string, { until: 12, ignorable: true }),
        topicId: f(uuid, { since: 13, ignorable: true }),
        partitions: array(int32),
      }),
    ),
    { since: 7 },
  ),
  rackId: f(string, { since: 11, default: "", ignorable: true }),
});

const response = struct({
  throttleTimeMs: f(int32, { ignorable: true }),
  errorCode: f(int16, { since: 7, ignorable: true }),
  sessionId: f(int32, { since: 7, default: 0 }),
  responses: array(
    struct({
      topic: f(string, { until: 12, ignorable: true }),
      topicId: f(uuid, { since: 13, ignorable: true }),
      partitions: array(
        struct({
          partitionIndex: int32,
          errorCode: int16,
          highWatermark: int64,
          lastStableOffset: f(int64, { default: -1, ignorable: true }),
          logStartOffset: f(int64, { since: 5, default: -1, ignorable: true }),
          divergingEpoch: f(
            struct({ epoch: f(int32, { default: -1 }), endOffset: f(int64, { default: -1 }) }),
            { since: 12, tag: 0 },
          ),
          currentLeader: f(
            struct({ leaderId: f(int32, { default: -1 }), leaderEpoch: f(int32, { default: -1 }) }),
            { since: 12, tag: 1 },
          ),
          snapshotId: f(
            struct({ endOffset: f(int64, { default: -1 }), epoch: f(int32, { default: -1 }) }),
            { since: 12, tag: 2 },
          ),
          abortedTransactions: f(array(struct({ producerId: int64, firstOffset: int64 })), {
            nullable: true,
            ignorable: true,
          }),
          preferredReadReplica: f(int32, { since: 11, default: -1 }),
          records: f(records, { nullable: true }),
        }),
      ),
    }),
  ),
  nodeEndpoints: f(
    array(
      struct({
        nodeId: int32,
        host: string,
        port: int32,
        rack: f(string, { nullable: true, default: null }),
      }),
    ),
    { since: 16, tag: 0 },
  ),
});

/**
 * Reads record batches, for consumers and for followers. Version 7 brings fetch sessions, 9 the
 * leader epoch, 11 reading from the nearest replica, 12 truncation detection and flexible
 * encoding, 13 topic ids, 15 the replica's state as a tagged field, 16 the new leader's address.
 */
export const fetchApi = defineApi({
  key: 1,
  name: "Fetch",
  versions: [4, 18],
  flexible: 12,
  request,
  response,
});

export type FetchRequest = Infer<typeof request>;
export type FetchRequestInput = InferInput<typeof request>;
export type FetchResponse = Infer<typeof response>;
export type FetchResponseInput = InferInput<typeof response>;
