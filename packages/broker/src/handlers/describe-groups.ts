import type { DescribeGroup, ReplyTo } from "@mantou/groups";
import type { DescribeGroupsRequest, DescribeGroupsResponseInput } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { gather } from "./ask-groups.ts";
import { GROUP_OPERATIONS, OPERATIONS_NOT_ASKED } from "./authorized-operations.ts";

type Described = ReplyTo<DescribeGroup>;

/** Classic groups, each from its own shard. */
export function handleDescribeGroups(
  broker: BrokerContext,
  call: Call,
  request: DescribeGroupsRequest,
): Outcome<DescribeGroupsResponseInput> {
  const { version } = call;
  const authorizedOperations = request.includeAuthorizedOperations
    ? GROUP_OPERATIONS
    : OPERATIONS_NOT_ASKED;
  return gather<string, Described, DescribeGroupsResponseInput>(
    request.groups,
    (groupId, settle) =>
      broker.groups.ask(groupId, { kind: "describeGroup", groupId, version }, (errorCode, reply) =>
        settle(
          reply === null ? refusedGroup(groupId, errorCode) : shown(reply, authorizedOperations),
        ),
      ),
    (groups) => ({ throttleTimeMs: 0, groups }),
  );
}

export const refuseDescribeGroups = (
  request: DescribeGroupsRequest,
  { errorCode }: Refused,
): DescribeGroupsResponseInput => ({
  throttleTimeMs: 0,
  groups: request.groups.map((groupId) => refusedGroup(groupId, errorCode)),
});

const refusedGroup = (groupId: string, errorCode: number): Described => ({
  errorCode: errorCode as ErrorCode,
  errorMessage: null,
  groupId,
  groupState: "",
  protocolType: "",
  protocolData: "",
  members: [],
  authorizedOperations: OPERATIONS_NOT_ASKED,
});

/** Of a group that cannot be described, nobody is told what he may do with it. */
const shown = (group: Described, authorizedOperations: number): Described =>
  group.errorCode === ErrorCode.NONE ? { ...group, authorizedOperations } : group;
