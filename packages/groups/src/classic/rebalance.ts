import { assert } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import { dropIfForgettable } from "../group-table.ts";
import { groupMetadataRecord } from "../records/group-metadata.ts";
import type { Scope } from "../scope.ts";
import { timerKey } from "../timer-key.ts";
import { answerAllSyncs, answerJoin, answerWith, joined } from "./answers.ts";
import type { ClassicGroup } from "./classic-group.ts";
import type { ClassicMember } from "./classic-member.ts";
import { NO_BYTES } from "./classic-member.ts";
import { describeRecord } from "./group-record.ts";
import { endSession, keepAlive } from "./session.ts";

const joinKey = (group: ClassicGroup): string => timerKey("join", group.groupId);
export const syncKey = (group: ClassicGroup): string => timerKey("sync", group.groupId);

/** Something about the members has changed: begins a round, or perhaps ends the one under way. */
export function rebalanceOrComplete(scope: Scope, group: ClassicGroup): void {
  if (group.canRebalance) prepareRebalance(scope, group);
  else completeJoinIfAllCame(scope, group);
}

/** Begins a round: whoever waits for assignments is told to join again. */
export function prepareRebalance(scope: Scope, group: ClassicGroup): void {
  if (group.state === "CompletingRebalance") {
    for (const member of group.members.values()) member.assignment = NO_BYTES;
    answerAllSyncs(scope, group, ErrorCode.REBALANCE_IN_PROGRESS);
  }
  stopAwaitingSyncs(scope, group);
  const isFirst = group.state === "Empty";
  group.transitionTo("PreparingRebalance", scope.now.wallMs);
  if (isFirst) awaitFirstMembers(scope, group);
  else if (group.hasEverybodyJoined) completeJoin(scope, group);
  else awaitJoins(scope, group);
}

function awaitJoins(scope: Scope, group: ClassicGroup): void {
  const { groupId } = group;
  group.isJoinTimed = true;
  scope.setTimer(joinKey(group), group.rebalanceTimeoutMs, { kind: "joinTimeout", groupId });
}

/** Members of a fresh group rarely come alone: a round for each of them would be waste. */
function awaitFirstMembers(scope: Scope, group: ClassicGroup): void {
  const delayMs = scope.settings.initialRebalanceDelayMs;
  if (delayMs <= 0) {
    completeJoin(scope, group);
    return;
  }
  const remainingMs = Math.max(group.rebalanceTimeoutMs - delayMs, 0);
  group.memberCame = false;
  scheduleInitialDelay(scope, group, delayMs, remainingMs);
}

function scheduleInitialDelay(
  scope: Scope,
  group: ClassicGroup,
  delayMs: number,
  remainingMs: number,
): void {
  const { groupId } = group;
  group.isJoinTimed = true;
  scope.setTimer(joinKey(group), delayMs, {
    kind: "initialDelayOver",
    groupId,
    delayMs,
    remainingMs,
  });
}

export function initialDelayOver(
  scope: Scope,
  group: ClassicGroup,
  delayMs: number,
  remainingMs: number,
): void {
  group.isJoinTimed = false;
  if (group.state !== "PreparingRebalance") return;
  if (!group.memberCame || remainingMs <= 0) {
    completeJoin(scope, group);
    return;
  }
  group.memberCame = false;
  const nextMs = Math.min(scope.settings.initialRebalanceDelayMs, remainingMs);
  scheduleInitialDelay(scope, group, nextMs, Math.max(remainingMs - delayMs, 0));
}

/** The first round of a group waits for its delay, however many have come. */
export function completeJoinIfAllCame(scope: Scope, group: ClassicGroup): void {
  const isLater = group.state === "PreparingRebalance" && group.stateBefore !== "Empty";
  if (isLater && group.hasEverybodyJoined) completeJoin(scope, group);
}

export function joinTimeout(scope: Scope, group: ClassicGroup): void {
  group.isJoinTimed = false;
  if (group.state === "PreparingRebalance") completeJoin(scope, group);
}

/**
 * Ends the wait for members. Who has not come is out, but for static members, who may be
 * restarting: they keep their place until their session ends.
 */
function completeJoin(scope: Scope, group: ClassicGroup): void {
  if (group.isJoinTimed) scope.cancelTimer(joinKey(group));
  group.isJoinTimed = false;
  for (const member of [...group.members.values()]) {
    if (member.join === null && member.groupInstanceId === null) expel(scope, group, member);
  }
  if (!group.electLeader() && group.members.size > 0) {
    // Only absent static members are left. Their sessions will end, or one of them comes back.
    awaitJoins(scope, group);
    return;
  }
  group.beginGeneration(scope.now.wallMs);
  scope.counts.rebalances++;
  if (group.state === "Empty") {
    writeGroup(scope, group);
    dropIfForgettable(scope, group);
    return;
  }
  for (const member of group.members.values()) {
    const members = member.memberId === group.leaderId;
    answerJoin(scope, group, member, (version) => joined(group, member, version, { members }));
    keepAlive(scope, group, member);
    member.isNew = false;
    group.pendingSync.add(member.memberId);
  }
  awaitSyncs(scope, group);
}

function awaitSyncs(scope: Scope, group: ClassicGroup): void {
  const { groupId, generationId } = group;
  scope.setTimer(syncKey(group), group.rebalanceTimeoutMs, {
    kind: "syncTimeout",
    groupId,
    generationId,
  });
}

function stopAwaitingSyncs(scope: Scope, group: ClassicGroup): void {
  if (group.pendingSync.size > 0) scope.cancelTimer(syncKey(group));
  group.pendingSync.clear();
}

/** The member has synced; with the last one the wait is over. */
export function noteSync(scope: Scope, group: ClassicGroup, member: ClassicMember): void {
  if (!group.pendingSync.delete(member.memberId)) return;
  if (group.pendingSync.size === 0) scope.cancelTimer(syncKey(group));
}

/** Members that joined and then did not ask for their assignment hold partitions for nothing. */
export function syncTimeout(scope: Scope, group: ClassicGroup, generationId: number): void {
  if (generationId !== group.generationId || group.pendingSync.size === 0) return;
  if (group.state !== "CompletingRebalance" && group.state !== "Stable") return;
  for (const memberId of [...group.pendingSync]) {
    const member = group.members.get(memberId);
    assert(member !== undefined, "who is awaited is a member");
    expel(scope, group, member);
  }
  prepareRebalance(scope, group);
}

/** Takes a member out. What it has parked is answered: if it is there, it joins as a new one. */
export function expel(scope: Scope, group: ClassicGroup, member: ClassicMember): void {
  answerWith(scope, group, member, ErrorCode.UNKNOWN_MEMBER_ID);
  endSession(scope, group, member);
  const awaited = group.pendingSync.size;
  group.remove(member);
  if (awaited > 0 && group.pendingSync.size === 0) scope.cancelTimer(syncKey(group));
}

/** Takes a pending member's place away. The round may have waited for it alone. */
export function forgetPending(scope: Scope, group: ClassicGroup, memberId: string): void {
  group.pendingMembers.delete(memberId);
  completeJoinIfAllCame(scope, group);
  dropIfForgettable(scope, group);
}

export function writeGroup(scope: Scope, group: ClassicGroup): void {
  scope.write([groupMetadataRecord(group.groupId, describeRecord(group))]);
  group.isWritten = true;
}
