/**
 * The name of a timer. Group and member ids are anything that clients make up, so the group's
 * length goes before it: no two timers share a name.
 */
export function timerKey(kind: string, groupId: string, memberId = ""): string {
  return `${kind} ${groupId.length} ${groupId} ${memberId}`;
}
