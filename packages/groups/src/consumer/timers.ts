import type { ConsumerTimer } from "../commands.ts";
import type { Scope } from "../scope.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerMember } from "./member.ts";
import { MemberState } from "./member.ts";

type TimerName = ConsumerTimer["timer"];

/** The group's length parts the two names, of which either may hold any character. */
export const timerKey = (timer: TimerName, groupId: string, memberId: string): string =>
  `consumer-${timer}:${groupId.length}:${groupId}:${memberId}`;

function setTimer(
  scope: Scope,
  timer: TimerName,
  group: ConsumerGroup,
  memberId: string,
  afterMs: number,
  epoch: number,
): void {
  const { groupId } = group;
  const command: ConsumerTimer = { kind: "consumerTimer", timer, groupId, memberId, epoch };
  scope.setTimer(timerKey(timer, groupId, memberId), afterMs, command);
}

/** A setting of the group, within the broker's bounds; the broker's own where there is none. */
function groupSetting(
  scope: Scope,
  groupId: string,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const text = scope.context.groupConfigs(groupId)?.get(name);
  const value = text === undefined ? Number.NaN : Number(text);
  if (!Number.isInteger(value)) return fallback;
  return Math.min(Math.max(value, least), most);
}

export function sessionTimeoutMs(scope: Scope, groupId: string): number {
  const settings = scope.settings.consumer;
  const { sessionTimeoutMs: fallback, sessionTimeoutMsMin, sessionTimeoutMsMax } = settings;
  const name = "consumer.session.timeout.ms";
  return groupSetting(scope, groupId, name, fallback, sessionTimeoutMsMin, sessionTimeoutMsMax);
}

export function heartbeatIntervalMs(scope: Scope, groupId: string): number {
  const settings = scope.settings.consumer;
  const {
    heartbeatIntervalMs: fallback,
    heartbeatIntervalMsMin,
    heartbeatIntervalMsMax,
  } = settings;
  const name = "consumer.heartbeat.interval.ms";
  return groupSetting(
    scope,
    groupId,
    name,
    fallback,
    heartbeatIntervalMsMin,
    heartbeatIntervalMsMax,
  );
}

/**
 * The member was heard: it has its whole session again. The timer that is set fires before the new
 * deadline and is set anew then, so that a heartbeat costs the driver nothing.
 */
export function armSession(scope: Scope, group: ConsumerGroup, member: ConsumerMember): void {
  const { metadata, memberId } = member;
  const timeoutMs = metadata.classic?.sessionTimeoutMs ?? sessionTimeoutMs(scope, group.groupId);
  const deadlineMs = scope.now.monotonicMs + timeoutMs;
  const session = group.sessions.get(memberId);
  if (session !== undefined && session.armedMs <= deadlineMs) {
    session.deadlineMs = deadlineMs;
    return;
  }
  group.sessions.set(memberId, { deadlineMs, armedMs: deadlineMs });
  setTimer(scope, "session", group, memberId, timeoutMs, 0);
}

/** The session's timer fired. Where the member was heard since, it is set anew. */
export function isSessionOver(scope: Scope, group: ConsumerGroup, memberId: string): boolean {
  const session = group.sessions.get(memberId);
  if (session === undefined) return false;
  const leftMs = session.deadlineMs - scope.now.monotonicMs;
  if (leftMs <= 0) return true;
  session.armedMs = session.deadlineMs;
  setTimer(scope, "session", group, memberId, leftMs, 0);
  return false;
}

/**
 * A member that was told to give partitions up has its rebalance timeout for it. Members of the
 * classic protocol are held to coming back by {@link armJoin}.
 */
export function armRebalance(scope: Scope, group: ConsumerGroup, member: ConsumerMember): void {
  const { current, metadata, memberId } = member;
  if (metadata.classic !== null) return;
  if (current.state !== MemberState.UNREVOKED) {
    scope.cancelTimer(timerKey("rebalance", group.groupId, memberId));
    return;
  }
  setTimer(scope, "rebalance", group, memberId, metadata.rebalanceTimeoutMs, current.epoch);
}

/** A classic member was told to rejoin: it has its rebalance timeout for it, from the first time. */
export function armJoin(scope: Scope, group: ConsumerGroup, member: ConsumerMember): void {
  const { metadata, current, memberId } = member;
  if (group.awaitedJoins.has(memberId)) return;
  group.awaitedJoins.add(memberId);
  setTimer(scope, "join", group, memberId, metadata.rebalanceTimeoutMs, current.epoch);
}

export function cancelJoin(scope: Scope, group: ConsumerGroup, memberId: string): void {
  if (!group.awaitedJoins.delete(memberId)) return;
  scope.cancelTimer(timerKey("join", group.groupId, memberId));
}

/** A classic member has joined: it has its rebalance timeout to fetch its assignment. */
export function armSync(scope: Scope, group: ConsumerGroup, member: ConsumerMember): void {
  const { metadata, current, memberId } = member;
  group.awaitedSyncs.add(memberId);
  setTimer(scope, "sync", group, memberId, metadata.rebalanceTimeoutMs, current.epoch);
}

export function cancelSync(scope: Scope, group: ConsumerGroup, memberId: string): void {
  if (!group.awaitedSyncs.delete(memberId)) return;
  scope.cancelTimer(timerKey("sync", group.groupId, memberId));
}

export function cancelAll(scope: Scope, group: ConsumerGroup, memberId: string): void {
  if (group.sessions.delete(memberId)) {
    scope.cancelTimer(timerKey("session", group.groupId, memberId));
  }
  scope.cancelTimer(timerKey("rebalance", group.groupId, memberId));
  cancelJoin(scope, group, memberId);
  cancelSync(scope, group, memberId);
}

/** Once, right after loading: topics may have changed while nobody kept the group. */
export function armRefresh(scope: Scope, group: ConsumerGroup): void {
  setTimer(scope, "regex", group, "", 0, 0);
}
