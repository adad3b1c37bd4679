import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { askGroup, clientOf } from "./ask-groups.ts";

export function handleConsumerGroupHeartbeat(
  broker: BrokerContext,
  call: Call,
  request: ConsumerGroupHeartbeatRequest,
): Outcome<ConsumerGroupHeartbeatResponseInput> {
  const { version } = call;
  return askGroup(
    broker,
    request.groupId,
    { kind: "consumerGroupHeartbeat", request, version, ...clientOf(broker, call) },
    (reply) => ({ ...reply, throttleTimeMs: 0 }),
    (errorCode) => refuseConsumerGroupHeartbeat(request, { errorCode }),
  );
}

export const refuseConsumerGroupHeartbeat = (
  _request: ConsumerGroupHeartbeatRequest,
  { errorCode, errorMessage = null }: Refused,
): ConsumerGroupHeartbeatResponseInput => ({
  throttleTimeMs: 0,
  errorCode,
  errorMessage,
  memberId: null,
  memberEpoch: 0,
  heartbeatIntervalMs: 0,
  assignment: null,
});
