import { ErrorCode } from "@mantou/protocol";
import type { SyncGroup } from "../commands.ts";
import type { Scope } from "../scope.ts";
import { answerAllSyncs, answerSync, syncError, synced } from "./answers.ts";
import type { ClassicGroup } from "./classic-group.ts";
import { NO_BYTES } from "./classic-member.ts";
import { recordBytes } from "./group-record.ts";
import { noteSync, prepareRebalance, writeGroup } from "./rebalance.ts";
import { checkGeneration } from "./validation.ts";

/** From this version a member names the protocol that it takes for the chosen one. */
const PROTOCOL_NAMED_SINCE = 5;

export function syncClassicGroup(
  scope: Scope,
  group: ClassicGroup,
  ticket: number,
  command: SyncGroup,
): void {
  const { request, version } = command;
  const error = checkSync(group, command);
  const member = group.members.get(request.memberId);
  if (error !== ErrorCode.NONE || member === undefined) {
    scope.reply(ticket, "syncGroup", syncError(error));
    return;
  }
  if (group.state === "PreparingRebalance") {
    scope.reply(ticket, "syncGroup", syncError(ErrorCode.REBALANCE_IN_PROGRESS));
    return;
  }
  noteSync(scope, group, member);
  if (group.state === "Stable") {
    scope.reply(ticket, "syncGroup", synced(group, member));
    return;
  }
  // As with joins: Kafka forgets a sync that the same member's next overtakes.
  answerSync(scope, member, syncError(ErrorCode.REBALANCE_IN_PROGRESS));
  member.sync = { ticket, version };
  if (group.leaderId === member.memberId) divide(scope, group, request.assignments);
}

function checkSync(group: ClassicGroup, { request, version }: SyncGroup): ErrorCode {
  const { memberId, groupInstanceId, generationId, protocolType, protocolName } = request;
  if (version >= PROTOCOL_NAMED_SINCE && (protocolType === null || protocolName === null)) {
    return ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
  }
  if (group.state === "Empty") return ErrorCode.UNKNOWN_MEMBER_ID;
  const error = checkGeneration(group, memberId, groupInstanceId, generationId);
  if (error !== ErrorCode.NONE) return error;
  const differs =
    (protocolType !== null && protocolType !== group.protocolType) ||
    (protocolName !== null && protocolName !== group.protocolName);
  return differs ? ErrorCode.INCONSISTENT_GROUP_PROTOCOL : ErrorCode.NONE;
}

/** The leader has spoken. Whom it did not mention is given nothing; whom we do not know neither. */
function divide(
  scope: Scope,
  group: ClassicGroup,
  assignments: SyncGroup["request"]["assignments"],
): void {
  const given = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]));
  const assignmentOf = (memberId: string): Uint8Array => given.get(memberId) ?? NO_BYTES;
  if (recordBytes(group, assignmentOf) > scope.settings.bounds.recordBytesMax) {
    // The record would not fit into the partition: the group is too large to be kept.
    answerAllSyncs(scope, group, ErrorCode.GROUP_MAX_SIZE_REACHED);
    prepareRebalance(scope, group);
    return;
  }
  for (const member of group.members.values()) member.assignment = assignmentOf(member.memberId);
  group.transitionTo("Stable", scope.now.wallMs);
  writeGroup(scope, group);
  answerAllSyncs(scope, group, ErrorCode.NONE);
}
