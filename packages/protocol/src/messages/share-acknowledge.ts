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
  string,
  struct,
  uuid,
} from "../schema/types.ts";

const request = struct({
  groupId: f(string, { nullable: true, default: null }),
  memberId: f(string, { nullable: true }),
  shareSessionEpoch: int32,
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
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, default: null }),
  acquisitionLockTimeoutMs: f(int32, { since: 2, ignorable: true }),
  responses: array(
    struct({
      topicId: uuid,
      partitions: array(
        struct({
          partitionIndex: int32,
          errorCode: int16,
          errorMessage: f(string, { nullable: true, default: null }),
          currentLeader: struct({ leaderId: int32, leaderEpoch: int32 }),
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

/** Acknowledges, releases, rejects or keeps for longer what a share group's member has acquired. */
export const shareAcknowledgeApi = defineApi({
  key: 79,
  name: "ShareAcknowledge",
  versions: [1, 2],
  flexible: 0,
  request,
  response,
});

export type ShareAcknowledgeRequest = Infer<typeof request>;
export type ShareAcknowledgeRequestInput = InferInput<typeof request>;
export type ShareAcknowledgeResponse = Infer<typeof response>;
export type ShareAcknowledgeResponseInput = InferInput<typeof response>;
