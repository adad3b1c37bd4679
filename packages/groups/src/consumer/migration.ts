import type { Uuid } from "@mantou/base";
import type { ConsumerAssignment, ConsumerSubscription } from "@mantou/protocol";
import { ErrorCode, encodeConsumerAssignment } from "@mantou/protocol";
import type { Assignment } from "../assignors/index.ts";
import { NO_PARTITIONS } from "../assignors/index.ts";
import type { ClassicGroup } from "../classic/classic-group.ts";
import type { ClassicConsumer } from "../classic/migration.ts";
import {
  dissolveClassicGroup,
  foundClassicGroup,
  readClassicConsumers,
} from "../classic/migration.ts";
import { CONSUMER_PROTOCOL_TYPE } from "../classic/subscription.ts";
import type { Scope } from "../scope.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import type { Journal } from "./journal.ts";
import type { ConsumerMember, MemberMetadata } from "./member.ts";
import { MemberState, heldSince, sortedNames } from "./member.ts";
import { toAssignment, union } from "./partitions.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import { armSession, cancelAll } from "./timers.ts";

/**
 * Groups change their protocol while they work (KIP-848, "online migration"). A member of the
 * consumer protocol that joins a classic group of consumers turns it into a consumer group, whose
 * classic members are served as before; when the last member of the consumer protocol goes, the
 * rest turn back into a classic group.
 */

/** A group that a heartbeat may enter. Nothing has changed yet: `convert` is what has to. */
export interface Admission {
  readonly group: ConsumerGroup;
  readonly convert?: (journal: Journal) => void;
}

const notFound = (text: string): Refusal => refuse(ErrorCode.GROUP_ID_NOT_FOUND, text);

/** The group of a heartbeat: the one that there is, a new one, or a classic one converted. */
export function admitToGroup(scope: Scope, groupId: string, isJoin: boolean): Admission | Refusal {
  const known = scope.groups.get(groupId);
  if (known instanceof ConsumerGroup) return { group: known };
  if (!isJoin) {
    if (known === undefined) return notFound(`Consumer group ${groupId} not found.`);
    return notFound(`Group ${groupId} is not a consumer group.`);
  }
  if (known !== undefined) return upgrade(scope, known as ClassicGroup);
  if (scope.groups.size >= scope.settings.bounds.groupsMax) {
    return refuse(ErrorCode.POLICY_VIOLATION, "There are as many groups as there may be.");
  }
  return { group: new ConsumerGroup(groupId) };
}

/** The texts are Kafka's: operators search for them. */
function upgrade(scope: Scope, classic: ClassicGroup): Admission | Refusal {
  const { groupId } = classic;
  const cannot = (why: string): Refusal =>
    notFound(`Cannot upgrade classic group ${groupId} to consumer group because ${why}.`);
  const convertEmpty = (journal: Journal): void => {
    for (const record of dissolveClassicGroup(scope, classic)) journal.push(record);
  };
  if (classic.members.size === 0) {
    return { group: new ConsumerGroup(groupId), convert: convertEmpty };
  }
  const { migrationPolicy, membersMax } = scope.settings.consumer;
  if (migrationPolicy !== "bidirectional" && migrationPolicy !== "upgrade") {
    return cannot("online upgrade is disabled");
  }
  if (!classic.speaksConsumer) {
    return cannot("the group does not use the consumer embedded protocol");
  }
  if (classic.members.size > membersMax) {
    return cannot("the group size exceeds the consumer group maximum size");
  }
  const consumers = readClassicConsumers(classic);
  if (consumers === null) return cannot("the embedded consumer protocol is malformed");
  // What an assignor of the application's own tells its members would be lost.
  if (consumers.some(({ assigned }) => (assigned.userData?.length ?? 0) > 0)) {
    return cannot("an unsupported custom assignor is in use");
  }
  const group = new ConsumerGroup(groupId);
  group.setEpoch(classic.generationId, 0);
  group.setTargetEpoch(classic.generationId, 0);
  const isStable = classic.state === "Stable";
  for (const consumer of consumers) adopt(scope, group, consumer, isStable);
  group.metadataHash = scope.topicKnowledge.groupHash(scope.context.topics, group);
  const convert = (journal: Journal): void => {
    convertEmpty(journal);
    journal.pushWhole();
    for (const member of group.members.values()) armSession(scope, group, member);
  };
  return { group, convert };
}

/**
 * Takes a classic member as it is: at the generation, with what it was assigned. In a round, what
 * it said that it owns counts too: cooperative members go on reading that until they rejoin.
 */
function adopt(
  scope: Scope,
  group: ConsumerGroup,
  consumer: ClassicConsumer,
  isStable: boolean,
): void {
  const { memberId, subscription } = consumer;
  group.setMetadata(memberId, {
    instanceId: consumer.groupInstanceId,
    rackId: subscription.rackId,
    clientId: consumer.clientId,
    clientHost: consumer.clientHost,
    subscribedNames: sortedNames(subscription.topics),
    subscribedRegex: "",
    rebalanceTimeoutMs: consumer.rebalanceTimeoutMs,
    serverAssignor: null,
    classic: { sessionTimeoutMs: consumer.sessionTimeoutMs, protocols: consumer.protocols },
  });
  const assigned = new Map<Uuid, readonly number[]>();
  const given = idsOf(scope, consumer.assigned.assignedPartitions);
  const held = isStable ? given : union(given, idsOf(scope, subscription.ownedPartitions));
  for (const [topicId, partitions] of held) {
    // An assignor of the clients may have given a partition twice: the first keeps it.
    const free = partitions.filter((partition) => group.ownerOf(topicId, partition) === undefined);
    if (free.length > 0) assigned.set(topicId, free);
  }
  const epoch = group.groupEpoch;
  group.setTarget(memberId, assigned);
  group.setCurrent(memberId, {
    epoch,
    previousEpoch: epoch,
    state: MemberState.STABLE,
    assigned,
    revoking: NO_PARTITIONS,
    since: heldSince([assigned], new Map(), epoch),
  });
}

type NamedPartitions = ConsumerAssignment["assignedPartitions"];

/** Partitions by topic id; topics that are gone are left out. */
export function idsOf(
  scope: Scope,
  named: NamedPartitions | ConsumerSubscription["ownedPartitions"],
): Assignment {
  const { topics } = scope.context;
  const list: { topicId: Uuid; partitions: readonly number[] }[] = [];
  for (const { topic, partitions } of named) {
    const topicId = topics.idOf(topic);
    const count = topics.partitionCount(topic);
    if (topicId === undefined) continue;
    list.push({ topicId, partitions: partitions.filter((at) => at >= 0 && at < count) });
  }
  return toAssignment(list);
}

/** What a classic member is told in SyncGroup, in the version of what it said itself. */
export function encodeAssignment(
  scope: Scope,
  metadata: MemberMetadata,
  assignment: Assignment,
): Uint8Array {
  const assignedPartitions = [];
  for (const [topicId, partitions] of assignment) {
    const topic = scope.context.topics.nameOf(topicId);
    if (topic !== undefined) assignedPartitions.push({ topic, partitions });
  }
  const said = metadata.classic?.protocols[0]?.metadata;
  const version =
    said === undefined || said.length < 2 ? 0 : ((said[0] as number) << 8) | (said[1] as number);
  const known = Math.min(version, 3);
  return encodeConsumerAssignment({ assignedPartitions, userData: null }, known);
}

/** A protocol that all classic members know, in the order of the first; null: there is none. */
function sharedProtocol(members: readonly ConsumerMember[]): string | null {
  const [first, ...rest] = members;
  for (const { name } of first?.metadata.classic?.protocols ?? []) {
    const isKnown = rest.every((member) =>
      member.metadata.classic?.protocols.some((protocol) => protocol.name === name),
    );
    if (isKnown) return name;
  }
  return null;
}

/**
 * Turns the group into a classic one where all members but those that leave speak the classic
 * protocol, and the policy wants it. Returns whether it did; the leaving are gone then too.
 */
export function downgradeIfDue(
  scope: Scope,
  journal: Journal,
  leaving: readonly string[],
): boolean {
  const { group } = journal;
  // Where one process took the place of another and all have what they shall have, no round.
  const rebalances = leaving.length > 0 || group.state() !== "Stable";
  const gone = new Set(leaving);
  const staying = [...group.members.values()].filter(({ memberId }) => !gone.has(memberId));
  const { migrationPolicy } = scope.settings.consumer;
  if (staying.length === 0 || staying.length > scope.settings.classicMembersMax) return false;
  if (migrationPolicy !== "bidirectional" && migrationPolicy !== "downgrade") return false;
  if (staying.some(({ metadata }) => metadata.classic === null)) return false;
  const protocolName = sharedProtocol(staying);
  const [leader] = staying;
  if (protocolName === null || leader === undefined) return false;
  journal.pushTombstones();
  for (const memberId of group.members.keys()) cancelAll(scope, group, memberId);
  scope.groups.delete(group.groupId);
  const founded = {
    groupId: group.groupId,
    generationId: group.groupEpoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName,
    leaderId: leader.memberId,
    members: staying.map(({ memberId, metadata, current }) => ({
      memberId,
      groupInstanceId: metadata.instanceId,
      clientId: metadata.clientId,
      clientHost: metadata.clientHost,
      rebalanceTimeoutMs: metadata.rebalanceTimeoutMs,
      sessionTimeoutMs: metadata.classic?.sessionTimeoutMs ?? 0,
      protocols: [...(metadata.classic?.protocols ?? [])],
      // What it holds, not what it was to hold: should the group turn again before the round that
      // follows has ended, nobody else may be given what this member still reads.
      assignment: encodeAssignment(scope, metadata, union(current.assigned, current.revoking)),
    })),
  };
  foundClassicGroup(scope, founded, journal.take(), rebalances);
  return true;
}
