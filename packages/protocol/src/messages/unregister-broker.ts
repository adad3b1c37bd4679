import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  brokerId: int32,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true }),
});

/** Removes a broker's registration from the cluster's metadata. */
export const unregisterBrokerApi = defineApi({
  key: 64,
  name: "UnregisterBroker",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type UnregisterBrokerRequest = Infer<typeof request>;
export type UnregisterBrokerRequestInput = InferInput<typeof request>;
export type UnregisterBrokerResponse = Infer<typeof response>;
export type UnregisterBrokerResponseInput = InferInput<typeof response>;
