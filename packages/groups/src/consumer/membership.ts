import type { Scope } from "../scope.ts";
import type { Journal } from "./journal.ts";
import type { ConsumerMember, MemberMetadata } from "./member.ts";
import { STATIC_LEAVE_EPOCH, sameMetadata, sameNames } from "./member.ts";
import { NO_PARTITIONS } from "../assignors/index.ts";
import { isSameAssignment } from "./partitions.ts";
import { isSameCurrent, reconcile } from "./reconcile.ts";
import type { PartitionList } from "./partitions.ts";
import { bumpEpoch } from "./target.ts";
import { armRebalance, armSession, cancelAll } from "./timers.ts";
import { subscribedNames } from "./topics.ts";

/**
 * Takes what a member says of itself. Returns whether its subscription changed, which raises the
 * group's epoch, as does the first member of a group and a rack that is another one.
 */
export function updateMetadata(
  scope: Scope,
  journal: Journal,
  memberId: string,
  metadata: MemberMetadata,
): boolean {
  const { group } = journal;
  const before = group.member(memberId)?.metadata;
  if (before !== undefined && sameMetadata(before, metadata)) {
    if (group.groupEpoch === 0) bumpEpoch(scope, journal);
    return false;
  }
  journal.setMetadata(memberId, metadata);
  const regexBefore = before?.subscribedRegex ?? "";
  const regexChanged = regexBefore !== metadata.subscribedRegex;
  if (regexChanged) updateRegexes(scope, journal, regexBefore, metadata.subscribedRegex);
  const changed =
    regexChanged || !sameNames(before?.subscribedNames ?? [], metadata.subscribedNames);
  const movedRack = before !== undefined && before.rackId !== metadata.rackId;
  if (changed || movedRack || group.groupEpoch === 0) bumpEpoch(scope, journal);
  return changed;
}

/** Resolves a pattern that is new to the group, and forgets one that nobody uses any more. */
function updateRegexes(scope: Scope, journal: Journal, before: string, after: string): void {
  const { group } = journal;
  dropRegex(journal, before);
  if (after === "" || group.regexes.has(after)) return;
  journal.setRegex(after, scope.topicKnowledge.resolve(scope.context.topics, after));
}

function dropRegex(journal: Journal, regex: string): void {
  const { group } = journal;
  if (regex !== "" && !group.usesRegex(regex) && group.regexes.has(regex))
    journal.removeRegex(regex);
}

/** Takes the member one step towards the target, as far as it can go now. */
export function reconcileMember(
  scope: Scope,
  journal: Journal,
  memberId: string,
  owned: PartitionList | null,
  subscriptionChanged: boolean,
): ConsumerMember {
  const { group } = journal;
  const member = group.member(memberId) as ConsumerMember;
  if (group.isReconciled(member) && !subscriptionChanged) return member;
  const topics = new Set(subscribedNames(group, member.metadata));
  const next = reconcile({
    group,
    member,
    owned,
    subscriptionChanged,
    isSubscribedTo: (topicId) => {
      const name = scope.context.topics.nameOf(topicId);
      return name !== undefined && topics.has(name);
    },
  });
  if (isSameCurrent(member.current, next, isSameAssignment)) return member;
  journal.setCurrent(memberId, next);
  const updated = group.member(memberId) as ConsumerMember;
  armRebalance(scope, group, updated);
  return updated;
}

/** Members are gone for good: what they held is free, and the rest divides it anew. */
export function removeMembers(scope: Scope, journal: Journal, memberIds: readonly string[]): void {
  const { group } = journal;
  for (const memberId of memberIds) {
    const regex = group.member(memberId)?.metadata.subscribedRegex ?? "";
    cancelAll(scope, group, memberId);
    journal.removeMember(memberId);
    dropRegex(journal, regex);
  }
  bumpEpoch(scope, journal);
}

/**
 * A static member is away and comes back under another id before its session ends: it keeps its
 * partitions, and what it was told to give up counts as given up.
 */
export function leaveForAWhile(scope: Scope, journal: Journal, member: ConsumerMember): void {
  const { current, memberId } = member;
  journal.setCurrent(memberId, {
    ...current,
    epoch: STATIC_LEAVE_EPOCH,
    revoking: NO_PARTITIONS,
  });
  cancelAll(scope, journal.group, memberId);
  armSession(scope, journal.group, member);
}

/** The member's place, its partitions and its target go to the one that comes in its stead. */
export function replaceStatic(
  scope: Scope,
  journal: Journal,
  old: ConsumerMember,
  memberId: string,
  epoch: number,
): void {
  const { group } = journal;
  const { metadata, current } = old;
  const target = group.targetOf(old.memberId);
  cancelAll(scope, group, old.memberId);
  journal.removeMember(old.memberId);
  journal.setMetadata(memberId, metadata);
  journal.setTarget(memberId, target);
  journal.setCurrent(memberId, { ...current, epoch, previousEpoch: 0 });
}
