import { assert } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { JoinGroup } from "../commands.ts";
import { createClassicGroup, dropIfForgettable } from "../group-table.ts";
import type { Scope } from "../scope.ts";
import { joinError, joined } from "./answers.ts";
import type { ClassicGroup } from "./classic-group.ts";
import { ClassicMember, NO_BYTES, metadataBytes } from "./classic-member.ts";
import type { Joining } from "./joining.ts";
import { park, readJoining } from "./joining.ts";
import { forgetPending, rebalanceOrComplete } from "./rebalance.ts";
import { keepAlive, sessionKey } from "./session.ts";
import { replaceStaticMember } from "./static-member.ts";
import { checkMember } from "./validation.ts";

/** From this version a new member without an instance id comes twice: for its id, and with it. */
const MEMBER_ID_REQUIRED_SINCE = 4;
/** How long a new member may wait for its first round before we think that it has gone away. */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000;
export function joinClassicGroup(
  scope: Scope,
  known: ClassicGroup | undefined,
  ticket: number,
  command: JoinGroup,
): void {
  const { request } = command;
  const joining = readJoining(ticket, command);
  if (metadataBytes(joining.protocols) > scope.settings.bounds.memberMetadataBytesMax) {
    refuse(scope, joining, ErrorCode.MESSAGE_TOO_LARGE);
    return;
  }
  const isUnknown = request.memberId === "";
  if (known === undefined && !isUnknown) {
    refuse(scope, joining, ErrorCode.UNKNOWN_MEMBER_ID);
    return;
  }
  const group = known ?? createClassicGroup(scope, request.groupId);
  if (group === null) {
    refuse(scope, joining, ErrorCode.POLICY_VIOLATION);
    return;
  }
  if (!hasRoom(scope, group, joining)) {
    refuse(scope, joining, ErrorCode.GROUP_MAX_SIZE_REACHED, "");
    // It will not come back with this id.
    if (group.pendingMembers.has(request.memberId)) {
      scope.cancelTimer(sessionKey(group.groupId, request.memberId));
      forgetPending(scope, group, request.memberId);
    }
  } else if (!group.supports(request.protocolType, joining.protocols)) {
    refuse(scope, joining, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  } else if (isUnknown) {
    joinAsNew(scope, group, joining);
  } else if (group.pendingMembers.has(request.memberId)) {
    joinAsPending(scope, group, joining);
  } else {
    joinAgain(scope, group, joining);
  }
  dropIfForgettable(scope, group);
}

function refuse(
  scope: Scope,
  { ticket, command }: Joining,
  errorCode: ErrorCode,
  memberId: string = command.request.memberId,
): void {
  scope.reply(ticket, "joinGroup", joinError(errorCode, memberId, command.version));
}

/**
 * While a round is prepared the members that wait are counted, not the ones that are known: a
 * limit that was lowered keeps the last ones out. What members say of themselves is bounded too.
 */
function hasRoom(scope: Scope, group: ClassicGroup, joining: Joining): boolean {
  const { classicMembersMax, bounds } = scope.settings;
  const member = group.members.get(joining.command.request.memberId);
  const before = member === undefined ? 0 : metadataBytes(member.protocols);
  const bytes = group.metadataBytes - before + metadataBytes(joining.protocols);
  if (bytes > bounds.groupMetadataBytesMax) return false;
  switch (group.state) {
    case "Empty":
      return true;
    case "PreparingRebalance":
      return (
        (member !== undefined && member.join !== null) || group.joiningCount < classicMembersMax
      );
    default:
      return member !== undefined || group.members.size < classicMembersMax;
  }
}

function joinAsNew(scope: Scope, group: ClassicGroup, joining: Joining): void {
  const { request, clientId, version } = joining.command;
  const instance = request.groupInstanceId;
  const memberId = scope.newMemberId(instance ?? clientId);
  const holder = instance === null ? undefined : group.memberIdOf(instance);
  if (holder !== undefined) {
    replaceStaticMember(scope, group, holder, memberId, joining);
    return;
  }
  if (instance !== null || version < MEMBER_ID_REQUIRED_SINCE) {
    addMember(scope, group, memberId, joining);
    return;
  }
  if (group.pendingMembers.size >= scope.settings.bounds.pendingMembersMax) {
    refuse(scope, joining, ErrorCode.GROUP_MAX_SIZE_REACHED);
    return;
  }
  group.pendingMembers.add(memberId);
  const { groupId } = group;
  scope.setTimer(sessionKey(groupId, memberId), request.sessionTimeoutMs, {
    kind: "sessionTimeout",
    groupId,
    memberId,
  });
  refuse(scope, joining, ErrorCode.MEMBER_ID_REQUIRED, memberId);
}

/** A member comes back with the id that it was given. Static members are not sent for one. */
function joinAsPending(scope: Scope, group: ClassicGroup, joining: Joining): void {
  const { memberId, groupInstanceId } = joining.command.request;
  if (groupInstanceId === null) addMember(scope, group, memberId, joining);
  else refuse(scope, joining, ErrorCode.INVALID_REQUEST);
}

function addMember(scope: Scope, group: ClassicGroup, memberId: string, joining: Joining): void {
  const { request, clientId, clientHost, version } = joining.command;
  const member = new ClassicMember({
    memberId,
    groupInstanceId: request.groupInstanceId,
    clientId,
    clientHost,
    rebalanceTimeoutMs: joining.rebalanceTimeoutMs,
    sessionTimeoutMs: request.sessionTimeoutMs,
    protocols: joining.protocols,
    assignment: NO_BYTES,
  });
  member.isNew = true;
  if (group.state === "PreparingRebalance" && group.stateBefore === "Empty") {
    group.memberCame = true;
  }
  group.add(member, request.protocolType);
  group.setJoin(member, { ticket: joining.ticket, version });
  keepAlive(scope, group, member, NEW_MEMBER_JOIN_TIMEOUT_MS);
  rebalanceOrComplete(scope, group);
}

/** A member that is known, or says that it is. */
function joinAgain(scope: Scope, group: ClassicGroup, joining: Joining): void {
  const { request, version } = joining.command;
  const error = checkMember(group, request.memberId, request.groupInstanceId);
  const member = group.members.get(request.memberId);
  if (error !== ErrorCode.NONE || member === undefined) {
    refuse(scope, joining, error);
    return;
  }
  assert(group.state !== "Empty", "an empty group has no members");
  const isLeader = group.leaderId === member.memberId;
  const isSame = member.matches(joining.protocols);
  // Who lost our answer gets it again. A leader that joins a stable group wants a round: what it
  // divides, such as the partitions of a topic, may have changed without any member's change.
  if (group.state === "CompletingRebalance" && isSame) {
    scope.reply(joining.ticket, "joinGroup", joined(group, member, version, { members: isLeader }));
    return;
  }
  if (group.state === "Stable" && isSame && !isLeader) {
    scope.reply(joining.ticket, "joinGroup", joined(group, member, version, { members: false }));
    return;
  }
  park(scope, group, member, joining);
  rebalanceOrComplete(scope, group);
}
