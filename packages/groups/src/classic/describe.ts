import { ErrorCode } from "@mantou/protocol";
import type { Replies } from "../commands.ts";
import type { ClassicGroup } from "./classic-group.ts";
import { NO_BYTES } from "./classic-member.ts";

/** From this version a missing group is an error. */
const GROUP_ID_NOT_FOUND_SINCE = 6;

export function describeClassicGroup(group: ClassicGroup): Replies["describeGroup"] {
  const isStable = group.state === "Stable";
  return {
    errorCode: ErrorCode.NONE,
    groupId: group.groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? "",
    protocolData: isStable ? (group.protocolName ?? "") : "",
    // While a round is under way, what members say is not what is in force.
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? member.metadataOf(group.protocolName) : NO_BYTES,
      memberAssignment: member.assignment,
    })),
  };
}

/** A group that does not exist, or not as a classic one. */
export function describeMissingGroup(
  groupId: string,
  version: number,
  errorMessage: string,
): Replies["describeGroup"] {
  const known = version >= GROUP_ID_NOT_FOUND_SINCE;
  return {
    errorCode: known ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.NONE,
    errorMessage: known ? errorMessage : null,
    groupId,
    groupState: "Dead",
    protocolType: "",
    protocolData: "",
    members: [],
  };
}
