import { ErrorCode } from "@mantou/protocol";
import type { Heartbeat, LeaveGroup } from "../commands.ts";
import { dropIfForgettable } from "../group-table.ts";
import type { Scope } from "../scope.ts";
import type { ClassicGroup } from "./classic-group.ts";
import { expel, forgetPending, rebalanceOrComplete } from "./rebalance.ts";
import { isSessionOver, keepAlive, sessionKey } from "./session.ts";
import { checkGeneration, checkMember } from "./validation.ts";

type Leaver = LeaveGroup["request"]["members"][number];

/** From this version a LeaveGroup names several members, and says how each fared. */
export const LEAVE_BATCH_SINCE = 3;

export function heartbeatClassicGroup(
  scope: Scope,
  group: ClassicGroup,
  { request }: Heartbeat,
): ErrorCode {
  const { memberId, groupInstanceId, generationId } = request;
  const error = checkGeneration(group, memberId, groupInstanceId, generationId);
  const member = group.members.get(memberId);
  if (error !== ErrorCode.NONE || member === undefined) return error;
  keepAlive(scope, group, member);
  const isPreparing = group.state === "PreparingRebalance";
  return isPreparing ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
}

/** The members of a LeaveGroup of any version. */
export function leaversOf({ request, version }: LeaveGroup): readonly Leaver[] {
  if (version >= LEAVE_BATCH_SINCE) return request.members;
  return [{ memberId: request.memberId, groupInstanceId: null, reason: null }];
}

/** @returns the error of each leaver, in their order. */
export function leaveClassicGroup(
  scope: Scope,
  group: ClassicGroup,
  leavers: readonly Leaver[],
): ErrorCode[] {
  const errors = leavers.map((leaver) => leave(scope, group, leaver));
  if (errors.includes(ErrorCode.NONE) && group.state !== "Empty") rebalanceOrComplete(scope, group);
  dropIfForgettable(scope, group);
  return errors;
}

/** An administrator takes a static member out by its instance id alone. */
function leave(scope: Scope, group: ClassicGroup, leaver: Leaver): ErrorCode {
  const { memberId, groupInstanceId } = leaver;
  if (memberId !== "" && group.pendingMembers.delete(memberId)) {
    scope.cancelTimer(sessionKey(group.groupId, memberId));
    return ErrorCode.NONE;
  }
  const holder = groupInstanceId === null ? undefined : group.memberIdOf(groupInstanceId);
  const leaving = memberId === "" ? (holder ?? "") : memberId;
  const error = checkMember(group, leaving, groupInstanceId);
  const member = group.members.get(leaving);
  if (error !== ErrorCode.NONE || member === undefined) return error;
  expel(scope, group, member);
  return ErrorCode.NONE;
}

/** The session's timer of a member, or of one that was told to come back, has fired. */
export function sessionTimeout(scope: Scope, group: ClassicGroup, memberId: string): void {
  if (group.pendingMembers.has(memberId)) {
    forgetPending(scope, group, memberId);
    return;
  }
  const member = group.members.get(memberId);
  if (member === undefined || !isSessionOver(scope, group, member)) return;
  expel(scope, group, member);
  rebalanceOrComplete(scope, group);
  dropIfForgettable(scope, group);
}
