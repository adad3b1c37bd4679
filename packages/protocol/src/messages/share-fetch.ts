import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import {
  array,
  bool,
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
  groupId: f(string, { nullable: true, default: null }),
  memberId: f(string, { nullable: true }),
  shareSessionEpoch: int32,
  maxWaitMs: int32,
  minBytes: int32,
  maxBytes: f(int32, { default: 0x7fff_ffff }),
  maxRecords: int32,
  batchSize: int32,
  shareAcquireMode: f(int8, { since: 2, default: 0, ignorable: true }),
  isRenewAck: f(bool, { since: 2, default: false }),
  topics: array(
    struct({
      topicId: uuid,
      partitions: array(
        struct({
          partitionIndex: int32,
          acknowledgementBatches: array(
            struct({ firstOffset: int64, lastOffset: int64, acknowledgeTypes: array(int8) }),
          ),
        }),
      ),
    }),
  ),
  forgottenTopicsData: array(struct({ topicId: uuid, partitions: array(int32) })),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, default: null }),
  acquisitionLockTimeoutMs: int32,
  responses: array(
    struct({
      topicId: uuid,
      partitions: array(
        struct({
          partitionIndex: int32,
          errorCode: int16,
          errorMessage: f(string, { nullable: true, default: null }),
          acknowledgeErrorCode: int16,
          acknowledgeErrorMessage: f(string, { nullable: true, default: null }),
          currentLeader: struct({ leaderId: int32, leaderEpoch: int32 }),
          records,
          acquiredRecords: array(
            struct({ firstOffset: int64, lastOffset: int64, deliveryCount: int16 }),
          ),
        }),
      ),
    }),
  ),
  nodeEndpoints: array(
    struct({
      nodeId: int32,
      host: string,
      port: int32,
      rack: f(string, { nullable: true, default: null }),
    }),
  ),
});

/** Acquires records of a share group and acknowledges earlier ones on the way. */
export const shareFetchApi = defineApi({
  key: 78,
  name: "ShareFetch",
  versions: [1, 2],
  flexible: 0,
  request,
  response,
});

export type ShareFetchRequest = Infer<typeof request>;
export type ShareFetchRequestInput = InferInput<typeof request>;
export type ShareFetchResponse = Infer<typeof response>;
export type ShareFetchResponseInput = InferInput<typeof response>;
