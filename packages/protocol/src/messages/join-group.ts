import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, bytes, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  groupId: string,
  sessionTimeoutMs: int32,
  rebalanceTimeoutMs: f(int32, { since: 1, default: -1, ignorable: true }),
  memberId: string,
  groupInstanceId: f(string, { since: 5, nullable: true, default: null }),
  protocolType: string,
  protocols: array(struct({ name: string, metadata: bytes })),
  reason: f(string, { since: 8, nullable: true, default: null, ignorable: true }),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 2, ignorable: true }),
  errorCode: int16,
  generationId: f(int32, { default: -1 }),
  protocolType: f(string, { since: 7, nullable: true, default: null, ignorable: true }),
  protocolName: f(string, { nullable: 7 }),
  leader: string,
  skipAssignment: f(bool, { since: 9, default: false }),
  memberId: string,
  members: array(
    struct({
      memberId: string,
      groupInstanceId: f(string, { since: 5, nullable: true, default: null, ignorable: true }),
      metadata: bytes,
    }),
  ),
});

/**
 * Enters a classic group and waits for the round to complete; the leader alone is told all
 * members. Version 0 has no rebalance timeout, 4 asks new members to come back with the id that
 * they were given, 5 knows static members.
 */
export const joinGroupApi = defineApi({
  key: 11,
  name: "JoinGroup",
  versions: [0, 9],
  flexible: 6,
  request,
  response,
});

export type JoinGroupRequest = Infer<typeof request>;
export type JoinGroupRequestInput = InferInput<typeof request>;
export type JoinGroupResponse = Infer<typeof response>;
export type JoinGroupResponseInput = InferInput<typeof response>;
