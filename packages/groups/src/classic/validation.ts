import { ErrorCode } from "@mantou/protocol";
import type { Committer } from "../consumer-door.ts";
import type { ClassicGroup } from "./classic-group.ts";

/** Whether such a member is there, and whether it is the one process that holds its instance id. */
export function checkMember(
  group: ClassicGroup,
  memberId: string,
  groupInstanceId: string | null,
): ErrorCode {
  if (groupInstanceId !== null) {
    const holder = group.memberIdOf(groupInstanceId);
    if (holder === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    if (holder !== memberId) return ErrorCode.FENCED_INSTANCE_ID;
  }
  return group.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID;
}

/** The same, and that it is of this generation. */
export function checkGeneration(
  group: ClassicGroup,
  memberId: string,
  groupInstanceId: string | null,
  generationId: number,
): ErrorCode {
  const error = checkMember(group, memberId, groupInstanceId);
  if (error !== ErrorCode.NONE) return error;
  return generationId === group.generationId ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION;
}

/** Whether the group takes a commit. */
export function checkClassicCommit(group: ClassicGroup, committer: Committer): ErrorCode {
  const { memberId, groupInstanceId, generationId, isTransactional } = committer;
  // An administrator, or a consumer that does without membership.
  if (generationId < 0 && group.state === "Empty") return ErrorCode.NONE;
  if (generationId >= 0 || memberId !== "" || groupInstanceId !== null) {
    const error = checkGeneration(group, memberId, groupInstanceId, generationId);
    if (error !== ErrorCode.NONE) return error;
  } else if (!isTransactional) {
    // Transactional commits of old could not say who they are.
    return ErrorCode.UNKNOWN_MEMBER_ID;
  }
  // The member knows the generation but not yet what it is given: it may not commit for it.
  if (!isTransactional && group.state === "CompletingRebalance") {
    return ErrorCode.REBALANCE_IN_PROGRESS;
  }
  return ErrorCode.NONE;
}
