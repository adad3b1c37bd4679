import type { ConsumerGroupHeartbeatRequest } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { ConsumerGroupHeartbeat, Replies } from "../commands.ts";
import type { Scope } from "../scope.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import { Journal } from "./journal.ts";
import type { ConsumerMember, MemberMetadata } from "./member.ts";
import {
  LEAVE_EPOCH,
  STATIC_LEAVE_EPOCH,
  UNKNOWN_METADATA,
  metadataBytes,
  sameNames,
  sortedNames,
} from "./member.ts";
import {
  leaveForAWhile,
  reconcileMember,
  removeMembers,
  replaceStatic,
  updateMetadata,
} from "./membership.ts";
import type { Admission } from "./migration.ts";
import { admitToGroup, downgradeIfDue } from "./migration.ts";
import { isSameAssignment, toPartitionList } from "./partitions.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import {
  checkEpoch,
  checkFull,
  checkRegex,
  checkRequest,
  fencedInstance,
  unknownInstance,
  unknownMember,
  unreleasedInstance,
} from "./request-check.ts";
import { refreshTarget } from "./target.ts";
import { armSession, cancelJoin, cancelSync, heartbeatIntervalMs } from "./timers.ts";

type Answer = Replies["consumerGroupHeartbeat"];

const refused = ({ errorCode, errorMessage }: Refusal): Answer => ({
  errorCode,
  errorMessage,
  memberEpoch: 0,
  heartbeatIntervalMs: 0,
});

/** ConsumerGroupHeartbeat: joins, leaves, reports what the member owns, is told what to own. */
export function consumerGroupHeartbeat(scope: Scope, command: ConsumerGroupHeartbeat): Answer {
  const { request, version } = command;
  const refusal =
    checkRequest(scope, request, version) ?? checkRegex(scope, request.subscribedTopicRegex);
  if (refusal !== null) return refused(refusal);
  const epoch = request.memberEpoch;
  if (epoch === LEAVE_EPOCH || epoch === STATIC_LEAVE_EPOCH) return leave(scope, request);
  return beat(scope, command);
}

function beat(scope: Scope, command: ConsumerGroupHeartbeat): Answer {
  const { request } = command;
  const admission = admitToGroup(scope, request.groupId, request.memberEpoch === 0);
  if ("errorCode" in admission) return refused(admission);
  const { group } = admission;
  const full = checkFull(scope, group, request.memberId);
  if (full !== null) return refused(full);
  const memberId = request.memberId === "" ? scope.context.newUuid() : request.memberId;
  const refusal =
    checkMember(group, memberId, request) ?? checkSize(scope, group, memberId, request);
  if (refusal !== null) return refused(refusal);
  // Nothing is refused from here on: state may change.
  const journal = enter(scope, admission);
  const existing = request.instanceId === null ? undefined : group.staticMember(request.instanceId);
  if (existing !== undefined && existing.memberId !== memberId) {
    replaceStatic(scope, journal, existing, memberId, 0);
  }
  const answer = settle(scope, journal, memberId, command);
  journal.flush();
  return answer;
}

/** Makes the group the one that the shard knows: it may be new, or a classic one just converted. */
function enter(scope: Scope, { group, convert }: Admission): Journal {
  const journal = new Journal(scope, group);
  convert?.(journal);
  scope.groups.set(group.groupId, group);
  return journal;
}

/** Whether a member of that id and epoch may speak. */
function checkMember(
  group: ConsumerGroup,
  memberId: string,
  request: ConsumerGroupHeartbeatRequest,
): Refusal | null {
  const { instanceId, memberEpoch, topicPartitions } = request;
  const isJoin = memberEpoch === 0;
  const known = group.member(memberId);
  if (instanceId === null) {
    if (known === undefined) return isJoin ? null : unknownMember(group.groupId, memberId);
    return checkEpoch(known, memberEpoch, topicPartitions);
  }
  const existing = group.staticMember(instanceId);
  if (!isJoin) {
    if (existing === undefined) return unknownInstance(instanceId);
    if (existing.memberId !== memberId) {
      return fencedInstance(memberId, instanceId, existing.memberId);
    }
    return checkEpoch(existing, memberEpoch, topicPartitions);
  }
  if (existing === undefined || existing.memberId === memberId) return null;
  // A member of the classic protocol gives way to one that replaces it in an online migration.
  const isReleased =
    existing.current.epoch === STATIC_LEAVE_EPOCH || existing.metadata.classic !== null;
  if (isReleased && known === undefined) return null;
  return unreleasedInstance(memberId, instanceId, existing.memberId);
}

/** Bounds what one member makes us keep. */
function checkSize(
  scope: Scope,
  group: ConsumerGroup,
  memberId: string,
  request: ConsumerGroupHeartbeatRequest,
): Refusal | null {
  const names = request.subscribedTopicNames;
  if (names === null) return null;
  let bytes = 0;
  for (const name of names) bytes += name.length + 2;
  const { memberMetadataBytesMax, groupMetadataBytesMax } = scope.settings.bounds;
  if (bytes > memberMetadataBytesMax) {
    return refuse(ErrorCode.MESSAGE_TOO_LARGE, "The subscription names too many topics.");
  }
  const known = group.member(memberId);
  const before = known === undefined ? 0 : metadataBytes(known.metadata);
  if (group.metadataBytes - before + bytes <= groupMetadataBytesMax) return null;
  const text = "The subscriptions of the group's members are too large.";
  return refuse(ErrorCode.GROUP_MAX_SIZE_REACHED, text);
}

/** Brings the member up to date, the target where it is behind, and the member towards it. */
function settle(
  scope: Scope,
  journal: Journal,
  memberId: string,
  command: ConsumerGroupHeartbeat,
): Answer {
  const { request } = command;
  const { group } = journal;
  const before = group.member(memberId);
  const metadata = merged(before, command);
  const isChanged = before === undefined || metadata !== before.metadata || group.groupEpoch === 0;
  const subscriptionChanged = isChanged && updateMetadata(scope, journal, memberId, metadata);
  refreshTarget(scope, journal);
  const owned = request.topicPartitions;
  const member = reconcileMember(scope, journal, memberId, owned, subscriptionChanged);
  if (before !== undefined && before.metadata.classic !== null) {
    cancelJoin(scope, group, memberId);
    cancelSync(scope, group, memberId);
  }
  armSession(scope, group, member);
  const { epoch, assigned } = member.current;
  const isFullRequest =
    request.rebalanceTimeoutMs !== -1 &&
    (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) &&
    owned !== null;
  const tell =
    request.memberEpoch === 0 ||
    isFullRequest ||
    before === undefined ||
    // The answer with the assignment did not arrive.
    request.memberEpoch !== before.current.epoch ||
    !isSameAssignment(before.current.assigned, assigned);
  return {
    errorCode: ErrorCode.NONE,
    memberId,
    memberEpoch: epoch,
    heartbeatIntervalMs: heartbeatIntervalMs(scope, group.groupId),
    assignment: tell ? { topicPartitions: toPartitionList(assigned) } : null,
  };
}

/** What the member is now; its metadata itself where the request says nothing new. */
function merged(
  before: ConsumerMember | undefined,
  { request, clientId, clientHost }: ConsumerGroupHeartbeat,
): MemberMetadata {
  const old = before?.metadata ?? UNKNOWN_METADATA;
  const names = request.subscribedTopicNames;
  const isUnchanged =
    names === null &&
    request.subscribedTopicRegex === null &&
    request.rebalanceTimeoutMs === -1 &&
    request.serverAssignor === null &&
    (request.rackId === null || request.rackId === old.rackId) &&
    (request.instanceId === null || request.instanceId === old.instanceId) &&
    clientId === old.clientId &&
    clientHost === old.clientHost &&
    old.classic === null;
  if (isUnchanged) return old;
  const sorted = names === null ? old.subscribedNames : sortedNames(names);
  return {
    instanceId: request.instanceId ?? old.instanceId,
    rackId: request.rackId ?? old.rackId,
    clientId,
    clientHost,
    subscribedNames: sameNames(sorted, old.subscribedNames) ? old.subscribedNames : sorted,
    subscribedRegex: request.subscribedTopicRegex ?? old.subscribedRegex,
    rebalanceTimeoutMs:
      request.rebalanceTimeoutMs === -1 ? old.rebalanceTimeoutMs : request.rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? old.serverAssignor,
    classic: null,
  };
}

function leave(scope: Scope, request: ConsumerGroupHeartbeatRequest): Answer {
  const { groupId, memberId, memberEpoch, instanceId } = request;
  const group = scope.groups.get(groupId);
  if (!(group instanceof ConsumerGroup)) {
    const text =
      group === undefined
        ? `Group ${groupId} not found.`
        : `Group ${groupId} is not a consumer group.`;
    return refused(refuse(ErrorCode.GROUP_ID_NOT_FOUND, text));
  }
  const member = instanceId === null ? group.member(memberId) : group.staticMember(instanceId);
  if (member === undefined) {
    const refusal =
      instanceId === null ? unknownMember(groupId, memberId) : unknownInstance(instanceId);
    return refused(refusal);
  }
  if (instanceId !== null && member.memberId !== memberId) {
    return refused(fencedInstance(memberId, instanceId, member.memberId));
  }
  const journal = new Journal(scope, group);
  if (memberEpoch === STATIC_LEAVE_EPOCH) leaveForAWhile(scope, journal, member);
  else if (!downgradeIfDue(scope, journal, [member.memberId])) {
    removeMembers(scope, journal, [member.memberId]);
  }
  journal.flush();
  return { errorCode: ErrorCode.NONE, memberId, memberEpoch, heartbeatIntervalMs: 0 };
}
