import type { GroupMetadata } from "../records/group-metadata.ts";
import { ClassicGroup } from "./classic-group.ts";
import { ClassicMember } from "./classic-member.ts";

/** What a record holds beside the texts and bytes of its members. */
const MEMBER_COST_BYTES = 64;

/** The group as it is stored. Of a member's protocols only the chosen one's metadata is. */
export function describeRecord(group: ClassicGroup): GroupMetadata {
  return {
    protocolType: group.protocolType ?? "",
    generation: group.generationId,
    protocol: group.protocolName,
    leader: group.leaderId,
    currentStateTimestamp: group.stateSinceMs,
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: member.metadataOf(group.protocolName),
      assignment: member.assignment,
    })),
  };
}

/** Room that the group's record needs with these assignments; never less than it is. */
export function recordBytes(
  group: ClassicGroup,
  assignmentOf: (memberId: string) => Uint8Array,
): number {
  let total = 2 * MEMBER_COST_BYTES + 3 * group.groupId.length;
  for (const member of group.members.values()) {
    const texts =
      member.memberId.length +
      member.clientId.length +
      member.clientHost.length +
      (member.groupInstanceId?.length ?? 0);
    // A UTF-16 unit takes at most three bytes of UTF-8.
    total += MEMBER_COST_BYTES + 3 * texts;
    total += member.metadataOf(group.protocolName).length + assignmentOf(member.memberId).length;
  }
  return total;
}

/** A group as a record left it: Stable, or Empty where it has no members. */
export function groupOfRecord(groupId: string, metadata: GroupMetadata): ClassicGroup {
  const group = new ClassicGroup(groupId, metadata.currentStateTimestamp);
  const protocolType = metadata.protocolType === "" ? null : metadata.protocolType;
  for (const stored of metadata.members) {
    if (group.members.has(stored.memberId)) continue;
    const protocols = [{ name: metadata.protocol ?? "", metadata: stored.subscription }];
    // Version 0 of the record has no rebalance timeout: it was the session's then.
    const rebalanceTimeoutMs =
      stored.rebalanceTimeout < 0 ? stored.sessionTimeout : stored.rebalanceTimeout;
    const member = new ClassicMember({
      memberId: stored.memberId,
      groupInstanceId: stored.groupInstanceId,
      clientId: stored.clientId,
      clientHost: stored.clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs: stored.sessionTimeout,
      protocols,
      assignment: stored.assignment,
    });
    group.add(member, metadata.protocolType);
  }
  group.protocolType = protocolType;
  group.protocolName = group.members.size === 0 ? null : (metadata.protocol ?? "");
  group.generationId = metadata.generation;
  const leader = metadata.leader;
  if (leader !== null && group.members.has(leader)) group.leaderId = leader;
  group.isWritten = true;
  group.restore(group.members.size === 0 ? "Empty" : "Stable", metadata.currentStateTimestamp);
  return group;
}
