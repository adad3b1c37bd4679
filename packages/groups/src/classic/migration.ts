import type { CoordinatorRecord } from "@mantou/base";
import { assert } from "@mantou/base";
import type { ConsumerAssignment, ConsumerSubscription } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import { groupMetadataRecord, groupMetadataTombstone } from "../records/group-metadata.ts";
import type { Scope } from "../scope.ts";
import { timerKey } from "../timer-key.ts";
import { answerWith } from "./answers.ts";
import { ClassicGroup } from "./classic-group.ts";
import type { ClassicMemberInput } from "./classic-member.ts";
import { ClassicMember } from "./classic-member.ts";
import { describeRecord } from "./group-record.ts";
import { prepareRebalance } from "./rebalance.ts";
import { endSession, keepAlive, sessionKey } from "./session.ts";
import { readAssignment, readSubscription } from "./subscription.ts";

/** A member of a classic group of consumers, with what it said as it can be understood. */
export interface ClassicConsumer extends ClassicMemberInput {
  /** What it says for the group's present protocol. */
  readonly subscription: ConsumerSubscription;
  /** What it was given in the present generation; nothing while a round is under way. */
  readonly assigned: ConsumerAssignment;
}

/**
 * The members of a classic group, so that they can be taken over by a group of the consumer
 * protocol (KIP-848). In the order in which they joined.
 * @returns null where the group is not one of consumers, or a member says what cannot be read.
 */
export function readClassicConsumers(group: ClassicGroup): readonly ClassicConsumer[] | null {
  if (group.members.size === 0) return [];
  if (!group.speaksConsumer) return null;
  const protocolName = group.protocolName ?? group.selectProtocol();
  const consumers: ClassicConsumer[] = [];
  for (const member of group.members.values()) {
    const subscription = readSubscription(member.metadataOf(protocolName));
    const assigned = readAssignment(member.assignment);
    if (subscription === null || assigned === null) return null;
    consumers.push({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      sessionTimeoutMs: member.sessionTimeoutMs,
      protocols: member.protocols,
      assignment: member.assignment,
      subscription,
      assigned,
    });
  }
  return consumers;
}

/**
 * Takes a classic group out of the shard, for another of its name to come. Parked requests are
 * answered with REBALANCE_IN_PROGRESS, which brings their members back; offsets stay.
 * @returns the tombstones of its records, to be written with the new group's.
 */
export function dissolveClassicGroup(scope: Scope, group: ClassicGroup): CoordinatorRecord[] {
  for (const member of group.members.values()) {
    answerWith(scope, group, member, ErrorCode.REBALANCE_IN_PROGRESS);
    endSession(scope, group, member);
  }
  for (const memberId of group.pendingMembers) {
    scope.cancelTimer(sessionKey(group.groupId, memberId));
  }
  if (group.isJoinTimed) scope.cancelTimer(timerKey("join", group.groupId));
  if (group.pendingSync.size > 0) scope.cancelTimer(timerKey("sync", group.groupId));
  scope.groups.delete(group.groupId);
  return group.isWritten ? [groupMetadataTombstone(group.groupId)] : [];
}

/** A classic group as the consumer protocol leaves it. */
export interface FoundedGroup {
  readonly groupId: string;
  readonly generationId: number;
  readonly protocolType: string;
  /** One that all members know. */
  readonly protocolName: string;
  readonly leaderId: string;
  /** At least one, the leader among them. */
  readonly members: readonly ClassicMemberInput[];
}

/**
 * Puts a stable classic group in the place of the group of that name, whose records the caller
 * has removed: `records` are their tombstones, written together with the new group's record.
 * Sessions begin. With `rebalances` a round begins at once, since a member has gone.
 */
export function foundClassicGroup(
  scope: Scope,
  founded: FoundedGroup,
  records: readonly CoordinatorRecord[],
  rebalances: boolean,
): ClassicGroup {
  assert(founded.members.length > 0, "a group is founded by members");
  const group = new ClassicGroup(founded.groupId, scope.now.wallMs);
  for (const input of founded.members) group.add(new ClassicMember(input), founded.protocolType);
  group.generationId = founded.generationId;
  group.protocolName = founded.protocolName;
  assert(group.members.has(founded.leaderId), "the leader is a member");
  group.leaderId = founded.leaderId;
  group.restore("Stable", scope.now.wallMs);
  scope.groups.set(founded.groupId, group);
  scope.write([...records, groupMetadataRecord(group.groupId, describeRecord(group))]);
  group.isWritten = true;
  for (const member of group.members.values()) keepAlive(scope, group, member);
  if (rebalances) prepareRebalance(scope, group);
  return group;
}
