import type { HeartbeatRequest, HeartbeatResponseInput } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { askNamedGroup, clientOf } from "./ask-groups.ts";

export function handleHeartbeat(
  broker: BrokerContext,
  call: Call,
  request: HeartbeatRequest,
): Outcome<HeartbeatResponseInput> {
  const { version } = call;
  return askNamedGroup(
    broker,
    request.groupId,
    { kind: "heartbeat", request, version, ...clientOf(broker, call) },
    (reply) => ({ ...reply, throttleTimeMs: 0 }),
    (errorCode) => refuseHeartbeat(request, { errorCode }),
  );
}

export const refuseHeartbeat = (
  _request: HeartbeatRequest,
  { errorCode }: Refused,
): HeartbeatResponseInput => ({ throttleTimeMs: 0, errorCode });
