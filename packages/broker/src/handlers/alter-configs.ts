import type { ConfigReply } from "@mantou/catalog";
import type { AlterConfigsRequest, AlterConfigsResponse } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { later } from "../handler.ts";

/** The old way: what is named is set, all else of the resource goes back to its default. */
export function handleAlterConfigs(
  broker: BrokerContext,
  _call: Call,
  request: AlterConfigsRequest,
): Outcome<AlterConfigsResponse> {
  const { resources, validateOnly } = request;
  const decided = broker.controller.decide({ kind: "replaceConfigs", resources, validateOnly });
  return later(decided.then(alterConfigsResponse));
}

/** The same shape answers IncrementalAlterConfigs. */
export const alterConfigsResponse = (replies: readonly ConfigReply[]): AlterConfigsResponse => ({
  throttleTimeMs: 0,
  responses: replies.map(({ errorCode, errorMessage, resourceType, resourceName }) => ({
    errorCode,
    errorMessage,
    resourceType,
    resourceName,
  })),
});
