import type { LeaveGroupRequest, LeaveGroupResponseInput } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { askNamedGroup, clientOf } from "./ask-groups.ts";

/** One member up to version 2, a list of them from version 3 on. */
export function handleLeaveGroup(
  broker: BrokerContext,
  call: Call,
  request: LeaveGroupRequest,
): Outcome<LeaveGroupResponseInput> {
  const { version } = call;
  return askNamedGroup(
    broker,
    request.groupId,
    { kind: "leaveGroup", request, version, ...clientOf(broker, call) },
    (reply) => ({ ...reply, throttleTimeMs: 0 }),
    (errorCode) => refuseLeaveGroup(request, { errorCode }),
  );
}

export const refuseLeaveGroup = (
  _request: LeaveGroupRequest,
  { errorCode }: Refused,
): LeaveGroupResponseInput => ({ throttleTimeMs: 0, errorCode, members: [] });
