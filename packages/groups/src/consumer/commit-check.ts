import { ErrorCode } from "@mantou/protocol";
import type { Uuid } from "@mantou/base";
import type { Committer } from "../consumer-door.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerMember } from "./member.ts";

/** From this version OffsetCommit and OffsetFetch name the member's epoch. */
const MEMBER_EPOCH_SINCE = 9;

/**
 * Whether the group takes a commit. A member whose epoch has moved on while it committed is taken
 * at its word where it has held all of the partitions since the epoch that it names (KIP-1251).
 */
export function checkCommit(
  group: ConsumerGroup,
  committer: Committer,
  partitions: () => Iterable<readonly [Uuid, number]>,
): ErrorCode {
  const { memberId, groupInstanceId, generationId, isTransactional, version } = committer;
  // An administrator, or a consumer that does without membership.
  if (generationId < 0 && group.size === 0) return ErrorCode.NONE;
  const isAnonymous = generationId < 0 && memberId === "" && groupInstanceId === null;
  // Transactional commits of old could not say who they are.
  if (isTransactional && isAnonymous) return ErrorCode.NONE;
  const member = group.member(memberId);
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  const isOld = !isTransactional && version < MEMBER_EPOCH_SINCE;
  if (isOld && member.metadata.classic === null) return ErrorCode.UNSUPPORTED_VERSION;
  const error = checkEpoch(member, generationId);
  if (error === ErrorCode.NONE || generationId < 0) return error;
  if (generationId > member.current.epoch) return error;
  for (const [topicId, partition] of partitions()) {
    const since = member.current.since.get(topicId)?.get(partition);
    if (since === undefined || since > generationId) return error;
  }
  return ErrorCode.NONE;
}

/** Whether the group tells a member its offsets. Without a member id nobody is checked. */
export function checkFetch(
  group: ConsumerGroup,
  memberId: string | null,
  memberEpoch: number,
): ErrorCode {
  if (memberId === null && memberEpoch < 0) return ErrorCode.NONE;
  const member = group.member(memberId ?? "");
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  return checkEpoch(member, memberEpoch);
}

function checkEpoch({ metadata, current }: ConsumerMember, epoch: number): ErrorCode {
  if (epoch === current.epoch) return ErrorCode.NONE;
  return metadata.classic === null ? ErrorCode.STALE_MEMBER_EPOCH : ErrorCode.ILLEGAL_GENERATION;
}
