import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  resources: array(
    struct({
      resourceType: int8,
      resourceName: string,
      configs: array(struct({ name: string, value: f(string, { nullable: true }) })),
    }),
  ),
  validateOnly: bool,
});

const response = struct({
  throttleTimeMs: int32,
  responses: array(
    struct({
      errorCode: int16,
      errorMessage: f(string, { nullable: true }),
      resourceType: int8,
      resourceName: string,
    }),
  ),
});

/**
 * Replaces all configs of a resource by those given; what is left out falls back to its default.
 * IncrementalAlterConfigs is the better way.
 */
export const alterConfigsApi = defineApi({
  key: 33,
  name: "AlterConfigs",
  versions: [0, 2],
  flexible: 2,
  request,
  response,
});

export type AlterConfigsRequest = Infer<typeof request>;
export type AlterConfigsRequestInput = InferInput<typeof request>;
export type AlterConfigsResponse = Infer<typeof response>;
export type AlterConfigsResponseInput = InferInput<typeof response>;
