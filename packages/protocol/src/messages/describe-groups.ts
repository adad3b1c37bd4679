import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, bytes, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  groups: array(string),
  includeAuthorizedOperations: f(bool, { since: 3 }),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 1, ignorable: true }),
  groups: array(
    struct({
      errorCode: int16,
      errorMessage: f(string, { since: 6, nullable: true, default: null }),
      groupId: string,
      groupState: string,
      protocolType: string,
      protocolData: string,
      members: array(
        struct({
          memberId: string,
          groupInstanceId: f(string, { since: 4, nullable: true, default: null, ignorable: true }),
          clientId: string,
          clientHost: string,
          memberMetadata: bytes,
          memberAssignment: bytes,
        }),
      ),
      authorizedOperations: f(int32, { since: 3, default: -0x8000_0000 }),
    }),
  ),
});

/**
 * State and members of classic groups. A group that does not exist is `Dead` without an error
 * below version 6, and GROUP_ID_NOT_FOUND from there.
 */
export const describeGroupsApi = defineApi({
  key: 15,
  name: "DescribeGroups",
  versions: [0, 6],
  flexible: 5,
  request,
  response,
});

export type DescribeGroupsRequest = Infer<typeof request>;
export type DescribeGroupsRequestInput = InferInput<typeof request>;
export type DescribeGroupsResponse = Infer<typeof response>;
export type DescribeGroupsResponseInput = InferInput<typeof response>;
