import type { OffsetDeleteRequest, OffsetDeleteResponseInput } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { askGroup } from "./ask-groups.ts";

export function handleOffsetDelete(
  broker: BrokerContext,
  call: Call,
  request: OffsetDeleteRequest,
): Outcome<OffsetDeleteResponseInput> {
  const { version } = call;
  return askGroup(
    broker,
    request.groupId,
    { kind: "offsetDelete", request, version },
    (reply) => ({ ...reply, throttleTimeMs: 0 }),
    (errorCode) => refuseOffsetDelete(request, { errorCode }),
  );
}

export const refuseOffsetDelete = (
  _request: OffsetDeleteRequest,
  { errorCode }: Refused,
): OffsetDeleteResponseInput => ({ errorCode, throttleTimeMs: 0, topics: [] });
