import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { later } from "../handler.ts";
import { alterConfigsResponse } from "./alter-configs.ts";

/** Single settings of each resource: set, deleted, appended to, taken from (KIP-339). */
export function handleIncrementalAlterConfigs(
  broker: BrokerContext,
  _call: Call,
  request: IncrementalAlterConfigsRequest,
): Outcome<IncrementalAlterConfigsResponse> {
  const { resources, validateOnly } = request;
  const decided = broker.controller.decide({ kind: "changeConfigs", resources, validateOnly });
  return later(decided.then(alterConfigsResponse));
}
