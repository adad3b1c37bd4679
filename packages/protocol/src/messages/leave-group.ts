import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  groupId: string,
  memberId: f(string, { until: 2 }),
  members: f(
    array(
      struct({
        memberId: string,
        groupInstanceId: f(string, { nullable: true, default: null }),
        reason: f(string, { since: 5, nullable: true, default: null, ignorable: true }),
      }),
    ),
    { since: 3 },
  ),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 1, ignorable: true }),
  errorCode: int16,
  members: f(
    array(
      struct({
        memberId: string,
        groupInstanceId: f(string, { nullable: true }),
        errorCode: int16,
      }),
    ),
    { since: 3 },
  ),
});

/**
 * Takes members out of a classic group: one up to version 2, from 3 a list, which is also how
 * static members are removed.
 */
export const leaveGroupApi = defineApi({
  key: 13,
  name: "LeaveGroup",
  versions: [0, 5],
  flexible: 4,
  request,
  response,
});

export type LeaveGroupRequest = Infer<typeof request>;
export type LeaveGroupRequestInput = InferInput<typeof request>;
export type LeaveGroupResponse = Infer<typeof response>;
export type LeaveGroupResponseInput = InferInput<typeof response>;
