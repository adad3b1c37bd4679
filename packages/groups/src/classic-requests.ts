import { assert } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import { joinError, syncError } from "./classic/answers.ts";
import { joinClassicGroup } from "./classic/join.ts";
import {
  LEAVE_BATCH_SINCE,
  heartbeatClassicGroup,
  leaveClassicGroup,
  leaversOf,
} from "./classic/membership.ts";
import { syncClassicGroup } from "./classic/sync.ts";
import type { Heartbeat, JoinGroup, LeaveGroup, SyncGroup } from "./commands.ts";
import { consumerDoor } from "./consumer/index.ts";
import { forgetGroup } from "./group-admin.ts";
import type { Scope } from "./scope.ts";

/** The requests of the classic protocol, up to the group that they are for, of either protocol. */

export function joinGroup(scope: Scope, ticket: number | null, command: JoinGroup): void {
  const { request, version } = command;
  const { settings } = scope;
  const refuse = (errorCode: ErrorCode): void => {
    scope.reply(ticket, "joinGroup", joinError(errorCode, request.memberId, version));
  };
  if (request.groupId === "") return refuse(ErrorCode.INVALID_GROUP_ID);
  const sessionMs = request.sessionTimeoutMs;
  if (sessionMs < settings.sessionTimeoutMsMin || sessionMs > settings.sessionTimeoutMsMax) {
    return refuse(ErrorCode.INVALID_SESSION_TIMEOUT);
  }
  assert(ticket !== null, "a join is somebody's");
  const group = scope.groups.get(request.groupId);
  if (group?.type !== "consumer") return joinClassicGroup(scope, group, ticket, command);
  if (!consumerDoor.isEmpty(group)) return consumerDoor.join(scope, group, ticket, command);
  // An empty group knows no member, and stays as it is when somebody thinks that it does.
  if (request.memberId !== "") return refuse(ErrorCode.UNKNOWN_MEMBER_ID);
  // An empty group changes its protocol with whoever comes next, and keeps its offsets.
  scope.write(forgetGroup(scope, group));
  return joinClassicGroup(scope, undefined, ticket, command);
}

export function syncGroup(scope: Scope, ticket: number | null, command: SyncGroup): void {
  const { groupId } = command.request;
  const group = scope.groups.get(groupId);
  if (groupId === "" || group === undefined) {
    const errorCode = groupId === "" ? ErrorCode.INVALID_GROUP_ID : ErrorCode.UNKNOWN_MEMBER_ID;
    return scope.reply(ticket, "syncGroup", syncError(errorCode));
  }
  if (group.type === "consumer") return consumerDoor.sync(scope, group, ticket, command);
  assert(ticket !== null, "a sync is somebody's");
  return syncClassicGroup(scope, group, ticket, command);
}

export function heartbeat(scope: Scope, ticket: number | null, command: Heartbeat): void {
  const { groupId } = command.request;
  const group = scope.groups.get(groupId);
  let errorCode: ErrorCode;
  if (group === undefined) {
    errorCode = groupId === "" ? ErrorCode.INVALID_GROUP_ID : ErrorCode.UNKNOWN_MEMBER_ID;
  } else if (group.type === "consumer") {
    return consumerDoor.classicHeartbeat(scope, group, ticket, command);
  } else {
    errorCode = heartbeatClassicGroup(scope, group, command);
  }
  scope.reply(ticket, "heartbeat", { errorCode });
}

export function leaveGroup(scope: Scope, ticket: number | null, command: LeaveGroup): void {
  const { groupId } = command.request;
  const group = scope.groups.get(groupId);
  if (group?.type === "consumer") return consumerDoor.leave(scope, group, ticket, command);
  if (groupId === "") {
    const errorCode = ErrorCode.INVALID_GROUP_ID;
    return scope.reply(ticket, "leaveGroup", { errorCode, members: [] });
  }
  const leavers = leaversOf(command);
  const errors =
    group === undefined
      ? leavers.map(() => ErrorCode.UNKNOWN_MEMBER_ID)
      : leaveClassicGroup(scope, group, leavers);
  if (command.version < LEAVE_BATCH_SINCE) {
    return scope.reply(ticket, "leaveGroup", { errorCode: errors[0] ?? ErrorCode.NONE });
  }
  return scope.reply(ticket, "leaveGroup", {
    errorCode: ErrorCode.NONE,
    members: leavers.map(({ memberId, groupInstanceId }, index) => ({
      memberId,
      groupInstanceId,
      errorCode: errors[index] ?? ErrorCode.NONE,
    })),
  });
}
