import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bytes, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  groupId: string,
  generationId: int32,
  memberId: string,
  groupInstanceId: f(string, { since: 3, nullable: true, default: null }),
  protocolType: f(string, { since: 5, nullable: true, default: null, ignorable: true }),
  protocolName: f(string, { since: 5, nullable: true, default: null, ignorable: true }),
  assignments: array(struct({ memberId: string, assignment: bytes })),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 1, ignorable: true }),
  errorCode: int16,
  protocolType: f(string, { since: 5, nullable: true, default: null, ignorable: true }),
  protocolName: f(string, { since: 5, nullable: true, default: null, ignorable: true }),
  assignment: bytes,
});

/**
 * Second half of a classic rebalance: the leader hands in all assignments, every member receives
 * its own.
 */
export const syncGroupApi = defineApi({
  key: 14,
  name: "SyncGroup",
  versions: [0, 5],
  flexible: 4,
  request,
  response,
});

export type SyncGroupRequest = Infer<typeof request>;
export type SyncGroupRequestInput = InferInput<typeof request>;
export type SyncGroupResponse = Infer<typeof response>;
export type SyncGroupResponseInput = InferInput<typeof response>;
