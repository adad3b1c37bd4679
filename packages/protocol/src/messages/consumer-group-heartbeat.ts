import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct, uuid } from "../schema/types.ts";

const topicPartitions = struct({ topicId: uuid, partitions: array(int32) });

const request = struct({
  groupId: string,
  memberId: string,
  memberEpoch: int32,
  instanceId: f(string, { nullable: true, default: null }),
  rackId: f(string, { nullable: true, default: null }),
  rebalanceTimeoutMs: f(int32, { default: -1 }),
  subscribedTopicNames: f(array(string), { nullable: true, default: null }),
  subscribedTopicRegex: f(string, { since: 1, nullable: true, default: null }),
  serverAssignor: f(string, { nullable: true, default: null }),
  topicPartitions: f(array(struct({ topicId: uuid, partitions: array(int32) })), {
    nullable: true,
    default: null,
  }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, default: null }),
  memberId: f(string, { nullable: true, default: null }),
  memberEpoch: int32,
  heartbeatIntervalMs: int32,
  assignment: f(struct({ topicPartitions: array(topicPartitions) }), {
    nullable: true,
    default: null,
  }),
});

/**
 * The consumer protocol of KIP-848 in one request: joins, leaves, reports and receives
 * assignments. A null field means that nothing has changed since the last heartbeat.
 */
export const consumerGroupHeartbeatApi = defineApi({
  key: 68,
  name: "ConsumerGroupHeartbeat",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type ConsumerGroupHeartbeatRequest = Infer<typeof request>;
export type ConsumerGroupHeartbeatRequestInput = InferInput<typeof request>;
export type ConsumerGroupHeartbeatResponse = Infer<typeof response>;
export type ConsumerGroupHeartbeatResponseInput = InferInput<typeof response>;
