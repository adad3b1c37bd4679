import type { Uuid } from "@mantou/base";
import type { Assignment } from "../assignors/index.ts";
import { NO_PARTITIONS } from "../assignors/index.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerMember, MemberCurrent } from "./member.ts";
import { MemberState, heldSince } from "./member.ts";
import type { PartitionList } from "./partitions.ts";
import { touches, union } from "./partitions.ts";

const NONE: readonly number[] = [];

export interface Reconciliation {
  readonly group: ConsumerGroup;
  readonly member: ConsumerMember;
  /** What the member says that it owns; null: it does not say. */
  readonly owned: PartitionList | null;
  readonly isSubscribedTo: (topicId: Uuid) => boolean;
  /** The subscription changed: topics that are not in it go at once, whatever the target says. */
  readonly subscriptionChanged: boolean;
}

/**
 * The next step of a member towards the target (KIP-848, "reconciliation of the group"). First
 * everything that is not in the target is given up and the member stays at its epoch until it says
 * that it did; then it gets the target's epoch and those partitions that nobody holds any more.
 * Returns the member's present state itself where nothing changes.
 */
export function reconcile(step: Reconciliation): MemberCurrent {
  const { current } = step.member;
  switch (current.state) {
    case MemberState.STABLE:
      if (current.epoch !== step.group.targetEpoch) return advance(step);
      return step.subscriptionChanged ? dropUnsubscribed(step) : current;
    case MemberState.UNREVOKED:
      if (!ownsAnyOf(step, current.revoking)) return advance(step);
      return step.subscriptionChanged ? dropUnsubscribed(step) : current;
    case MemberState.UNRELEASED:
      return advance(step);
  }
}

const ownsAnyOf = ({ owned }: Reconciliation, revoked: Assignment): boolean =>
  owned === null || touches(owned, revoked);

/** Cheaper than a whole advance: what is no longer subscribed to is given up, nothing else moves. */
function dropUnsubscribed(step: Reconciliation): MemberCurrent {
  const { current } = step.member;
  const kept = new Map(current.assigned);
  const dropped = new Map<Uuid, readonly number[]>();
  for (const [topicId, partitions] of current.assigned) {
    if (step.isSubscribedTo(topicId)) continue;
    kept.delete(topicId);
    dropped.set(topicId, partitions);
  }
  if (dropped.size === 0) return current;
  const revoking = union(current.revoking, dropped);
  if (ownsAnyOf(step, revoking)) {
    return moved(current, current.epoch, MemberState.UNREVOKED, kept, revoking);
  }
  return moved(current, current.epoch, current.state, kept, current.revoking);
}

function advance(step: Reconciliation): MemberCurrent {
  const { group, member } = step;
  const { current } = member;
  const target = group.targetOf(member.memberId);
  const kept = new Map<Uuid, readonly number[]>();
  const revoking = new Map<Uuid, readonly number[]>();
  const gained = new Map<Uuid, readonly number[]>();
  let isWaiting = false;
  for (const topicId of new Set([...target.keys(), ...current.assigned.keys()])) {
    const wanted = step.isSubscribedTo(topicId) ? (target.get(topicId) ?? NONE) : NONE;
    const held = current.assigned.get(topicId) ?? NONE;
    const wantedSet = new Set(wanted);
    const heldSet = new Set(held);
    put(
      kept,
      topicId,
      held.filter((partition) => wantedSet.has(partition)),
    );
    put(
      revoking,
      topicId,
      held.filter((partition) => !wantedSet.has(partition)),
    );
    const missing = wanted.filter((partition) => !heldSet.has(partition));
    const free = missing.filter((partition) => {
      const owner = group.ownerOf(topicId, partition);
      return owner === undefined || owner === member.memberId;
    });
    put(gained, topicId, free);
    if (free.length < missing.length) isWaiting = true;
  }
  if (revoking.size > 0 && ownsAnyOf(step, revoking)) {
    return moved(current, current.epoch, MemberState.UNREVOKED, kept, revoking);
  }
  const state = isWaiting ? MemberState.UNRELEASED : MemberState.STABLE;
  const assigned = union(kept, gained);
  return moved(current, group.targetEpoch, state, assigned, NO_PARTITIONS);
}

function put(into: Map<Uuid, readonly number[]>, topicId: Uuid, list: readonly number[]): void {
  if (list.length > 0) into.set(topicId, list);
}

function moved(
  current: MemberCurrent,
  epoch: number,
  state: MemberState,
  assigned: Assignment,
  revoking: Assignment,
): MemberCurrent {
  // The epoch before is the one that a lost answer leaves the member at.
  const previousEpoch = epoch === current.epoch ? current.previousEpoch : current.epoch;
  const since = heldSince([assigned, revoking], current.since, epoch);
  return { epoch, previousEpoch, state, assigned, revoking, since };
}

export function isSameCurrent(
  a: MemberCurrent,
  b: MemberCurrent,
  same: (x: Assignment, y: Assignment) => boolean,
): boolean {
  if (a === b) return true;
  const sameNumbers =
    a.epoch === b.epoch && a.previousEpoch === b.previousEpoch && a.state === b.state;
  return sameNumbers && same(a.assigned, b.assigned) && same(a.revoking, b.revoking);
}
