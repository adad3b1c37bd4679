import type { JoinGroupRequest, JoinGroupResponseInput } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { askNamedGroup, clientOf } from "./ask-groups.ts";

/** From here on an answer without a protocol says so with null. */
const NULL_PROTOCOL_VERSION = 7;

/** Answered when the round of the group completes, which may take its rebalance timeout. */
export function handleJoinGroup(
  broker: BrokerContext,
  call: Call,
  request: JoinGroupRequest,
): Outcome<JoinGroupResponseInput> {
  const { version } = call;
  return askNamedGroup(
    broker,
    request.groupId,
    { kind: "joinGroup", request, version, ...clientOf(broker, call) },
    (reply) => ({ ...reply, throttleTimeMs: 0 }),
    (errorCode) => refuseJoinGroup(request, { errorCode }, version),
  );
}

export const refuseJoinGroup = (
  { memberId }: JoinGroupRequest,
  { errorCode }: Refused,
  version: number,
): JoinGroupResponseInput => ({
  throttleTimeMs: 0,
  errorCode,
  generationId: -1,
  protocolType: null,
  protocolName: version >= NULL_PROTOCOL_VERSION ? null : "",
  leader: "",
  skipAssignment: false,
  memberId,
  members: [],
});
