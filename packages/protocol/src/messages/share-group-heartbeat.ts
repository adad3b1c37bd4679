import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct, uuid } from "../schema/types.ts";

const topicPartitions = struct({ topicId: uuid, partitions: array(int32) });

const request = struct({
  groupId: string,
  memberId: string,
  memberEpoch: int32,
  rackId: f(string, { nullable: true, default: null }),
  subscribedTopicNames: f(array(string), { nullable: true, default: null }),
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

/** Membership of a share group: joins, leaves and receives assignments (KIP-932). */
export const shareGroupHeartbeatApi = defineApi({
  key: 76,
  name: "ShareGroupHeartbeat",
  versions: [1, 1],
  flexible: 0,
  request,
  response,
});

export type ShareGroupHeartbeatRequest = Infer<typeof request>;
export type ShareGroupHeartbeatRequestInput = InferInput<typeof request>;
export type ShareGroupHeartbeatResponse = Infer<typeof response>;
export type ShareGroupHeartbeatResponseInput = InferInput<typeof response>;
