import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  controllerId: int32,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true }),
});

/** Removes a controller's registration from the cluster's metadata. */
export const unregisterControllerApi = defineApi({
  key: 94,
  name: "UnregisterController",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type UnregisterControllerRequest = Infer<typeof request>;
export type UnregisterControllerRequestInput = InferInput<typeof request>;
export type UnregisterControllerResponse = Infer<typeof response>;
export type UnregisterControllerResponseInput = InferInput<typeof response>;
