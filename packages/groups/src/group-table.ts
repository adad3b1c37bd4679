import { ClassicGroup } from "./classic/classic-group.ts";
import type { Group } from "./group.ts";
import type { Scope } from "./scope.ts";

/** @returns null where the shard has as many groups as it may have. */
export function createClassicGroup(scope: Scope, groupId: string): ClassicGroup | null {
  if (scope.groups.size >= scope.settings.bounds.groupsMax) return null;
  const group = new ClassicGroup(groupId, scope.now.wallMs);
  scope.groups.set(groupId, group);
  return group;
}

/**
 * Forgets a group of which nothing is left and nothing was ever written: one that was made for a
 * member who never came back, or for offsets that are gone.
 */
export function dropIfForgettable(scope: Scope, group: Group): void {
  if (group.type !== "classic" || group.isWritten) return;
  if (group.state !== "Empty" || group.pendingMembers.size > 0) return;
  if (scope.offsets.has(group.groupId)) return;
  scope.groups.delete(group.groupId);
}
