import type { ConsumerSubscription } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import { joinError, syncError } from "../classic/answers.ts";
import type { MemberProtocol } from "../classic/classic-member.ts";
import { metadataBytes, withoutDoubles } from "../classic/classic-member.ts";
import { LEAVE_BATCH_SINCE, leaversOf } from "../classic/membership.ts";
import { CONSUMER_PROTOCOL_TYPE, readSubscription } from "../classic/subscription.ts";
import type { Heartbeat, JoinGroup, LeaveGroup, Replies, SyncGroup } from "../commands.ts";
import type { Scope } from "../scope.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import { Journal } from "./journal.ts";
import type { ConsumerMember, MemberMetadata } from "./member.ts";
import { MemberState, metadataBytes as memberBytes, sortedNames } from "./member.ts";
import { reconcileMember, removeMembers, replaceStatic, updateMetadata } from "./membership.ts";
import { downgradeIfDue, encodeAssignment, idsOf } from "./migration.ts";
import { toPartitionList } from "./partitions.ts";
import { checkFull } from "./request-check.ts";
import { refreshTarget } from "./target.ts";
import { armJoin, armSession, armSync, cancelJoin, cancelSync } from "./timers.ts";

/**
 * Members of the classic protocol in a consumer group. JoinGroup takes the place of the heartbeat
 * that says what the member owns and is answered at once: there is no barrier; SyncGroup tells the
 * assignment; a heartbeat answers REBALANCE_IN_PROGRESS when there is something to rejoin for. The
 * generation is the member's epoch, and nobody is leader: the coordinator divides.
 */

/** From this version a new member without an instance id comes twice: for its id, and with it. */
const MEMBER_ID_REQUIRED_SINCE = 4;

type JoinAnswer = Replies["joinGroup"];
type Protocols = readonly MemberProtocol[];

export function joinAsClassic(scope: Scope, group: ConsumerGroup, command: JoinGroup): JoinAnswer {
  const { request, version } = command;
  const protocols = withoutDoubles(request.protocols);
  const refused = (code: ErrorCode, memberId = request.memberId): JoinAnswer =>
    joinError(code, memberId, version);
  if (metadataBytes(protocols) > scope.settings.bounds.memberMetadataBytesMax) {
    return refused(ErrorCode.MESSAGE_TOO_LARGE);
  }
  if (checkFull(scope, group, request.memberId) !== null || !hasRoom(scope, group, command)) {
    return refused(ErrorCode.GROUP_MAX_SIZE_REACHED, "");
  }
  const subscription = readSubscription(protocols[0]?.metadata ?? new Uint8Array(0));
  if (subscription === null || !supports(group, request.protocolType, protocols)) {
    return refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  }
  const isUnknown = request.memberId === "";
  const prefix = request.groupInstanceId ?? command.clientId;
  const memberId = isUnknown ? scope.newMemberId(prefix) : request.memberId;
  if (isUnknown && request.groupInstanceId === null && version >= MEMBER_ID_REQUIRED_SINCE) {
    return refused(ErrorCode.MEMBER_ID_REQUIRED, memberId);
  }
  const existing =
    request.groupInstanceId === null ? undefined : group.staticMember(request.groupInstanceId);
  if (request.groupInstanceId !== null && !isUnknown) {
    if (existing === undefined) return refused(ErrorCode.UNKNOWN_MEMBER_ID);
    if (existing.memberId !== memberId) return refused(ErrorCode.FENCED_INSTANCE_ID);
  }
  const journal = new Journal(scope, group);
  if (existing !== undefined && existing.memberId !== memberId) {
    replaceStatic(scope, journal, existing, memberId, 0);
  }
  const metadata = metadataOf(command, protocols, subscription, group.member(memberId));
  const member = settle(scope, journal, memberId, metadata, subscription);
  // A static member of the consumer protocol may have been the last one.
  const wasConsumer = existing !== undefined && existing.metadata.classic === null;
  const downgraded = wasConsumer && downgradeIfDue(scope, journal, []);
  journal.flush();
  if (!downgraded) {
    cancelJoin(scope, group, memberId);
    armSession(scope, group, member);
    armSync(scope, group, member);
  }
  return {
    errorCode: ErrorCode.NONE,
    generationId: member.current.epoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName: protocols[0]?.name ?? null,
    leader: "",
    memberId,
    members: [],
  };
}

/** What all members say of themselves is bounded, as in a classic group. */
function hasRoom(scope: Scope, group: ConsumerGroup, { request }: JoinGroup): boolean {
  const known = group.member(request.memberId);
  const before = known === undefined ? 0 : memberBytes(known.metadata);
  const bytes = group.metadataBytes - before + metadataBytes(request.protocols);
  return bytes <= scope.settings.bounds.groupMetadataBytesMax;
}

function settle(
  scope: Scope,
  journal: Journal,
  memberId: string,
  metadata: MemberMetadata,
  subscription: ConsumerSubscription,
): ConsumerMember {
  const changed = updateMetadata(scope, journal, memberId, metadata);
  refreshTarget(scope, journal);
  const owned = toPartitionList(idsOf(scope, subscription.ownedPartitions));
  return reconcileMember(scope, journal, memberId, owned, changed);
}

function metadataOf(
  { request, clientId, clientHost }: JoinGroup,
  protocols: Protocols,
  subscription: ConsumerSubscription,
  before: ConsumerMember | undefined,
): MemberMetadata {
  const { sessionTimeoutMs, rebalanceTimeoutMs } = request;
  return {
    instanceId: request.groupInstanceId ?? before?.metadata.instanceId ?? null,
    rackId: subscription.rackId ?? before?.metadata.rackId ?? null,
    clientId,
    clientHost,
    subscribedNames: sortedNames(subscription.topics),
    subscribedRegex: "",
    // Version 0 has one timeout for both.
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? sessionTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: before?.metadata.serverAssignor ?? null,
    classic: { sessionTimeoutMs, protocols },
  };
}

/** Whether all classic members of the group know one of the protocols. */
function supports(group: ConsumerGroup, protocolType: string, protocols: Protocols): boolean {
  if (protocolType !== CONSUMER_PROTOCOL_TYPE || protocols.length === 0) return false;
  if (group.classicSize === 0) return true;
  const shared = new Set(protocols.map(({ name }) => name));
  for (const { metadata } of group.members.values()) {
    if (metadata.classic === null) continue;
    const known = new Set(metadata.classic.protocols.map(({ name }) => name));
    for (const name of shared) if (!known.has(name)) shared.delete(name);
  }
  return shared.size > 0;
}

/** A member that speaks the classic protocol, at the generation that it names. */
function findMember(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string | null,
  generationId: number,
): ConsumerMember | ErrorCode {
  const member = instanceId === null ? group.member(memberId) : group.staticMember(instanceId);
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  if (member.memberId !== memberId) return ErrorCode.FENCED_INSTANCE_ID;
  if (member.metadata.classic === null) return ErrorCode.UNKNOWN_MEMBER_ID;
  return member.current.epoch === generationId ? member : ErrorCode.ILLEGAL_GENERATION;
}

export function syncAsClassic(
  scope: Scope,
  group: ConsumerGroup,
  { request }: SyncGroup,
): Replies["syncGroup"] {
  const { memberId, groupInstanceId, generationId, protocolType, protocolName } = request;
  const member = findMember(group, memberId, groupInstanceId, generationId);
  if (typeof member === "number") return syncError(member);
  const { metadata, current } = member;
  const name = metadata.classic?.protocols[0]?.name ?? null;
  const isOther =
    (protocolType !== null && protocolType !== CONSUMER_PROTOCOL_TYPE) ||
    (protocolName !== null && protocolName !== name);
  if (isOther) return syncError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  // Who is to revoke has rejoined already, and rejoins once more when it has revoked.
  if (group.groupEpoch > current.epoch && current.state !== MemberState.UNREVOKED) {
    armJoin(scope, group, member);
    return syncError(ErrorCode.REBALANCE_IN_PROGRESS);
  }
  cancelSync(scope, group, memberId);
  armSession(scope, group, member);
  return {
    errorCode: ErrorCode.NONE,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName: name,
    assignment: encodeAssignment(scope, metadata, current.assigned),
  };
}

export function heartbeatAsClassic(
  scope: Scope,
  group: ConsumerGroup,
  { request }: Heartbeat,
): ErrorCode {
  const { memberId, groupInstanceId, generationId } = request;
  const member = findMember(group, memberId, groupInstanceId, generationId);
  if (typeof member === "number") return member;
  armSession(scope, group, member);
  const { state, epoch } = member.current;
  const hasToRejoin =
    epoch < group.groupEpoch ||
    state === MemberState.UNREVOKED ||
    (state === MemberState.UNRELEASED && !isWaiting(group, member));
  if (!hasToRejoin) return ErrorCode.NONE;
  armJoin(scope, group, member);
  return ErrorCode.REBALANCE_IN_PROGRESS;
}

/** Whether a partition of the member's target is still held by another. */
function isWaiting(group: ConsumerGroup, { memberId, current }: ConsumerMember): boolean {
  for (const [topicId, partitions] of group.targetOf(memberId)) {
    const held = current.assigned.get(topicId) ?? [];
    for (const partition of partitions) {
      const owner = group.ownerOf(topicId, partition);
      if (!held.includes(partition) && owner !== undefined && owner !== memberId) return true;
    }
  }
  return false;
}

export function leaveAsClassic(
  scope: Scope,
  group: ConsumerGroup,
  command: LeaveGroup,
): Replies["leaveGroup"] {
  const leavers = leaversOf(command);
  const gone = new Set<string>();
  const members = leavers.map(({ memberId, groupInstanceId }) => {
    const errorCode = checkLeaver(group, gone, memberId, groupInstanceId);
    return { memberId, groupInstanceId, errorCode };
  });
  if (gone.size > 0) {
    const journal = new Journal(scope, group);
    if (!downgradeIfDue(scope, journal, [...gone])) removeMembers(scope, journal, [...gone]);
    journal.flush();
  }
  if (command.version >= LEAVE_BATCH_SINCE) return { errorCode: ErrorCode.NONE, members };
  return { errorCode: members[0]?.errorCode ?? ErrorCode.NONE };
}

/**
 * An administrator takes out members of either protocol, a static one by its instance id alone.
 */
function checkLeaver(
  group: ConsumerGroup,
  gone: Set<string>,
  memberId: string,
  instanceId: string | null,
): ErrorCode {
  const member = instanceId === null ? group.member(memberId) : group.staticMember(instanceId);
  if (member === undefined || gone.has(member.memberId)) return ErrorCode.UNKNOWN_MEMBER_ID;
  const isByInstance = instanceId !== null && memberId === "";
  if (!isByInstance && member.memberId !== memberId) return ErrorCode.FENCED_INSTANCE_ID;
  gone.add(member.memberId);
  return ErrorCode.NONE;
}
