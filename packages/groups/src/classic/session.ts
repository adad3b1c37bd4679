import type { Scope } from "../scope.ts";
import { timerKey } from "../timer-key.ts";
import type { ClassicGroup } from "./classic-group.ts";
import type { ClassicMember } from "./classic-member.ts";

/**
 * A member's session. A heartbeat only moves the deadline: the timer stays where it is, and when
 * it fires too early it is set anew. So a heartbeat costs no more than two assignments, and each
 * member about one timer per session timeout.
 */

export const sessionKey = (groupId: string, memberId: string): string =>
  timerKey("session", groupId, memberId);

export function keepAlive(
  scope: Scope,
  group: ClassicGroup,
  member: ClassicMember,
  timeoutMs: number = member.sessionTimeoutMs,
): void {
  member.deadlineMs = scope.now.monotonicMs + timeoutMs;
  if (member.armedMs === 0 || member.deadlineMs < member.armedMs) arm(scope, group, member);
}

function arm(scope: Scope, group: ClassicGroup, member: ClassicMember): void {
  const { groupId } = group;
  const { memberId, deadlineMs } = member;
  member.armedMs = deadlineMs;
  scope.setTimer(sessionKey(groupId, memberId), deadlineMs - scope.now.monotonicMs, {
    kind: "sessionTimeout",
    groupId,
    memberId,
  });
}

/** The member's timer has fired. @returns whether its session is over. */
export function isSessionOver(scope: Scope, group: ClassicGroup, member: ClassicMember): boolean {
  member.armedMs = 0;
  if (scope.now.monotonicMs < member.deadlineMs) {
    arm(scope, group, member);
    return false;
  }
  // Who waits for us is not silent. But a new member does not know its id and would never come
  // back for it: if its connection is gone, only this ends its wait.
  return member.isNew || (member.join === null && member.sync === null);
}

export function endSession(scope: Scope, group: ClassicGroup, member: ClassicMember): void {
  if (member.armedMs === 0) return;
  member.armedMs = 0;
  scope.cancelTimer(sessionKey(group.groupId, member.memberId));
}
