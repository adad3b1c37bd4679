import { ErrorCode } from "@mantou/protocol";
import type { Replies } from "../commands.ts";
import type { Scope } from "../scope.ts";
import type { ClassicGroup } from "./classic-group.ts";
import type { ClassicMember } from "./classic-member.ts";
import { NO_BYTES } from "./classic-member.ts";
import { keepAlive } from "./session.ts";

/** First version of JoinGroup whose answer may leave out the protocol's name. */
const NULL_PROTOCOL_NAME_SINCE = 7;
/** First version of JoinGroup that can tell a leader to leave the assignment as it is. */
export const SKIP_ASSIGNMENT_SINCE = 9;

type JoinedMembers = Replies["joinGroup"]["members"];
const NO_MEMBERS: JoinedMembers = [];

export function joinError(
  errorCode: ErrorCode,
  memberId: string,
  version: number,
): Replies["joinGroup"] {
  return {
    errorCode,
    generationId: -1,
    protocolType: null,
    protocolName: version >= NULL_PROTOCOL_NAME_SINCE ? null : "",
    leader: "",
    memberId,
    members: NO_MEMBERS,
  };
}

/** All members with what they said for the generation's protocol: the leader divides by it. */
export function joinedMembers(group: ClassicGroup): JoinedMembers {
  const { protocolName } = group;
  const joined = [];
  for (const member of group.members.values()) {
    joined.push({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: member.metadataOf(protocolName),
    });
  }
  return joined;
}

export interface JoinedOptions {
  readonly members: boolean;
  /** Null: the group's present leader. */
  readonly leaderId?: string | null;
  readonly skipAssignment?: boolean;
}

/** The present generation, as an answer to a join. */
export function joined(
  group: ClassicGroup,
  member: ClassicMember,
  version: number,
  options: JoinedOptions,
): Replies["joinGroup"] {
  const name = group.protocolName;
  return {
    errorCode: ErrorCode.NONE,
    generationId: group.generationId,
    protocolType: group.protocolType,
    protocolName: name ?? (version >= NULL_PROTOCOL_NAME_SINCE ? null : ""),
    leader: options.leaderId ?? group.leaderId ?? "",
    skipAssignment: options.skipAssignment ?? false,
    memberId: member.memberId,
    members: options.members ? joinedMembers(group) : NO_MEMBERS,
  };
}

/** Answers the member's parked JoinGroup, if any. @returns whether there was one. */
export function answerJoin(
  scope: Scope,
  group: ClassicGroup,
  member: ClassicMember,
  reply: (version: number) => Replies["joinGroup"],
): boolean {
  const parked = member.join;
  if (parked === null) return false;
  group.setJoin(member, null);
  scope.reply(parked.ticket, "joinGroup", reply(parked.version));
  return true;
}

export const syncError = (errorCode: ErrorCode): Replies["syncGroup"] => ({
  errorCode,
  protocolType: null,
  protocolName: null,
  assignment: NO_BYTES,
});

export const synced = (group: ClassicGroup, member: ClassicMember): Replies["syncGroup"] => ({
  errorCode: ErrorCode.NONE,
  protocolType: group.protocolType,
  protocolName: group.protocolName,
  assignment: member.assignment,
});

/** Answers the member's parked SyncGroup, if any. @returns whether there was one. */
export function answerSync(
  scope: Scope,
  member: ClassicMember,
  reply: Replies["syncGroup"],
): boolean {
  const parked = member.sync;
  if (parked === null) return false;
  member.sync = null;
  scope.reply(parked.ticket, "syncGroup", reply);
  return true;
}

/** Answers whatever the member has parked: it is about to be no member, or no longer this one. */
export function answerWith(
  scope: Scope,
  group: ClassicGroup,
  member: ClassicMember,
  errorCode: ErrorCode,
): void {
  const memberId = errorCode === ErrorCode.UNKNOWN_MEMBER_ID ? "" : member.memberId;
  answerJoin(scope, group, member, (version) => joinError(errorCode, memberId, version));
  answerSync(scope, member, syncError(errorCode));
}

/**
 * Answers all parked SyncGroups with the assignments, or with an error. Whose session ran out
 * meanwhile was spared, since it was waiting for us: sessions begin anew.
 */
export function answerAllSyncs(scope: Scope, group: ClassicGroup, errorCode: ErrorCode): void {
  for (const member of group.members.values()) {
    const reply = errorCode === ErrorCode.NONE ? synced(group, member) : syncError(errorCode);
    if (answerSync(scope, member, reply)) keepAlive(scope, group, member);
  }
}
