import type { ConsumerGroupHeartbeatRequest } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { Scope } from "../scope.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerMember } from "./member.ts";
import { LEAVE_EPOCH, STATIC_LEAVE_EPOCH } from "./member.ts";
import type { PartitionList } from "./partitions.ts";
import { isWithin } from "./partitions.ts";
import type { Refusal } from "./refusal.ts";
import { invalidRequest, refuse } from "./refusal.ts";

const isBlank = (text: string | null): boolean => text !== null && text.trim() === "";

/** What is wrong with a heartbeat by itself, in the order in which Kafka looks; null: nothing. */
export function checkRequest(
  scope: Scope,
  request: ConsumerGroupHeartbeatRequest,
  version: number,
): Refusal | null {
  const { memberEpoch, memberId } = request;
  // From version 1 clients make their member ids themselves (KIP-1082).
  const needsMemberId = version >= 1 || memberEpoch > 0 || memberEpoch === LEAVE_EPOCH;
  if (needsMemberId && isBlank(memberId)) return invalidRequest("MemberId can't be empty.");
  if (isBlank(request.groupId)) return invalidRequest("GroupId can't be empty.");
  if (isBlank(request.instanceId)) return invalidRequest("InstanceId can't be empty.");
  if (isBlank(request.rackId)) return invalidRequest("RackId can't be empty.");
  if (memberEpoch === 0) {
    const refusal = checkJoin(request);
    if (refusal !== null) return refusal;
  } else if (memberEpoch === STATIC_LEAVE_EPOCH) {
    if (request.instanceId === null) return invalidRequest("InstanceId can't be null.");
  } else if (memberEpoch < STATIC_LEAVE_EPOCH) {
    return invalidRequest("MemberEpoch is invalid.");
  }
  const { assignors } = scope.settings.consumer;
  const { serverAssignor } = request;
  if (serverAssignor === null || assignors.includes(serverAssignor)) return null;
  return refuse(
    ErrorCode.UNSUPPORTED_ASSIGNOR,
    `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${assignors.join(", ")}.`,
  );
}

function checkJoin(request: ConsumerGroupHeartbeatRequest): Refusal | null {
  if (request.rebalanceTimeoutMs === -1) {
    return invalidRequest("RebalanceTimeoutMs must be provided in first request.");
  }
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    return invalidRequest("TopicPartitions must be empty when (re-)joining.");
  }
  // Empty lists and patterns are fine: a member that subscribes to nothing yet.
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
    return invalidRequest(
      "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
    );
  }
  return null;
}

/** A pattern that does not compile. */
export function checkRegex(scope: Scope, regex: string | null): Refusal | null {
  if (regex === null || regex === "") return null;
  const pattern = scope.topicKnowledge.pattern(regex);
  if (pattern.ok) return null;
  const shown = regex.length > 100 ? `${regex.slice(0, 100)}...` : regex;
  return refuse(
    ErrorCode.INVALID_REGULAR_EXPRESSION,
    `SubscribedTopicRegex \`${shown}\` is not a valid regular expression: ${pattern.error}.`,
  );
}

export function checkFull(scope: Scope, group: ConsumerGroup, memberId: string): Refusal | null {
  const { membersMax } = scope.settings.consumer;
  if (group.size < membersMax || (memberId !== "" && group.member(memberId) !== undefined)) {
    return null;
  }
  return refuse(
    ErrorCode.GROUP_MAX_SIZE_REACHED,
    `The consumer group has reached its maximum capacity of ${membersMax} members.`,
  );
}

/**
 * The epoch that a member names. One ahead of ours, or behind, fences it; but the one before ours
 * with no more partitions than it was given is a member that our last answer did not reach.
 */
export function checkEpoch(
  member: ConsumerMember,
  epoch: number,
  owned: PartitionList | null,
): Refusal | null {
  const { current } = member;
  // 0 is how a member comes back that abandoned what it had.
  if (epoch === 0 || epoch === current.epoch) return null;
  if (epoch > current.epoch) return fenced("greater", epoch, current.epoch);
  const answerWasLost =
    epoch === current.previousEpoch && owned !== null && isWithin(owned, current.assigned);
  return answerWasLost ? null : fenced("smaller", epoch, current.epoch);
}

const fenced = (how: string, received: number, known: number): Refusal =>
  refuse(
    ErrorCode.FENCED_MEMBER_EPOCH,
    `The consumer group member has a ${how} member epoch (${received}) than the one known by ` +
      `the group coordinator (${known}). The member must abandon all its partitions and rejoin.`,
  );

export const unknownMember = (groupId: string, memberId: string): Refusal =>
  refuse(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${memberId} is not a member of group ${groupId}.`);

export const unknownInstance = (instanceId: string): Refusal =>
  refuse(ErrorCode.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`);

export const unreleasedInstance = (memberId: string, instanceId: string, owner: string): Refusal =>
  refuse(
    ErrorCode.UNRELEASED_INSTANCE_ID,
    `Static member ${memberId} with instance id ${instanceId} cannot join the group because ` +
      `the instance id is owned by ${owner} member.`,
  );

export const fencedInstance = (memberId: string, instanceId: string, owner: string): Refusal =>
  refuse(
    ErrorCode.FENCED_INSTANCE_ID,
    `Static member ${memberId} with instance id ${instanceId} was fenced by member ${owner}.`,
  );
