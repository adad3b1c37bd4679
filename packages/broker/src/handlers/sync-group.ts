import type { SyncGroupRequest, SyncGroupResponseInput } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { askNamedGroup, clientOf } from "./ask-groups.ts";

/** Answered when the group's leader has handed in the assignments. */
export function handleSyncGroup(
  broker: BrokerContext,
  call: Call,
  request: SyncGroupRequest,
): Outcome<SyncGroupResponseInput> {
  const { version } = call;
  return askNamedGroup(
    broker,
    request.groupId,
    { kind: "syncGroup", request, version, ...clientOf(broker, call) },
    (reply) => ({ ...reply, throttleTimeMs: 0 }),
    (errorCode) => refuseSyncGroup(request, { errorCode }),
  );
}

export const refuseSyncGroup = (
  _request: SyncGroupRequest,
  { errorCode }: Refused,
): SyncGroupResponseInput => ({
  throttleTimeMs: 0,
  errorCode,
  protocolType: null,
  protocolName: null,
  assignment: new Uint8Array(),
});
