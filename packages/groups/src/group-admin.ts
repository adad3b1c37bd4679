import type { CoordinatorRecord } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import { describeClassicGroup, describeMissingGroup } from "./classic/describe.ts";
import { sessionKey } from "./classic/session.ts";
import type {
  ConsumerGroupDescribe,
  DeleteGroup,
  DescribeGroup,
  ListGroups,
  Replies,
} from "./commands.ts";
import { consumerDoor } from "./consumer/index.ts";
import { hasNoMembers, protocolTypeOf, stateName } from "./group-facts.ts";
import type { Group } from "./group.ts";
import { removeAllOffsets } from "./offsets/delete.ts";
import { groupMetadataTombstone } from "./records/group-metadata.ts";
import type { Scope } from "./scope.ts";

export function describeGroup(scope: Scope, command: DescribeGroup): Replies["describeGroup"] {
  const { groupId, version } = command;
  const group = scope.groups.get(groupId);
  if (group?.type === "classic") return describeClassicGroup(group);
  const message =
    group === undefined
      ? `Group ${groupId} not found.`
      : `Group ${groupId} is not a classic group.`;
  return describeMissingGroup(groupId, version, message);
}

export function describeConsumerGroup(
  scope: Scope,
  { groupId }: ConsumerGroupDescribe,
): Replies["consumerGroupDescribe"] {
  const group = scope.groups.get(groupId);
  if (group?.type === "consumer") return consumerDoor.describe(scope, group);
  return {
    errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
    errorMessage:
      group === undefined
        ? `Group ${groupId} not found.`
        : `Group ${groupId} is not a consumer group.`,
    groupId,
    groupState: "",
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: "",
    members: [],
  };
}

export function listGroups(scope: Scope, command: ListGroups): Replies["listGroups"] {
  const states = new Set(command.statesFilter.map((state) => state.toLowerCase()));
  const types = new Set(command.typesFilter.map((type) => type.toLowerCase()));
  const listed = [];
  for (const group of scope.groups.values()) {
    const groupState = stateName(group);
    if (states.size > 0 && !states.has(groupState.toLowerCase())) continue;
    if (types.size > 0 && !types.has(group.type)) continue;
    listed.push({
      groupId: group.groupId,
      protocolType: protocolTypeOf(group),
      groupState,
      groupType: group.type,
    });
  }
  return listed;
}

export function deleteGroup(scope: Scope, { groupId }: DeleteGroup): Replies["deleteGroup"] {
  const group = scope.groups.get(groupId);
  if (group === undefined) {
    return {
      groupId,
      errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
      errorMessage: `Group ${groupId} not found.`,
    };
  }
  if (!hasNoMembers(group)) {
    return {
      groupId,
      errorCode: ErrorCode.NON_EMPTY_GROUP,
      errorMessage: `Group ${groupId} has members.`,
    };
  }
  // The offsets go first: whatever a crash leaves can be deleted again.
  const records = removeAllOffsets(scope, groupId);
  records.push(...forgetGroup(scope, group));
  scope.writeApart(records);
  return { groupId, errorCode: ErrorCode.NONE, errorMessage: null };
}

/** Takes a group without members out of the shard. @returns the tombstones of its records. */
export function forgetGroup(scope: Scope, group: Group): CoordinatorRecord[] {
  if (group.type === "consumer") return consumerDoor.remove(scope, group);
  for (const memberId of group.pendingMembers) {
    scope.cancelTimer(sessionKey(group.groupId, memberId));
  }
  scope.groups.delete(group.groupId);
  return group.isWritten ? [groupMetadataTombstone(group.groupId)] : [];
}
