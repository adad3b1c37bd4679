import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  resources: array(
    struct({
      resourceType: int8,
      resourceName: string,
      configs: array(
        struct({ name: string, configOperation: int8, value: f(string, { nullable: true }) }),
      ),
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

/** Changes single configs of a resource: sets, deletes, appends to and subtracts from a list. */
export const incrementalAlterConfigsApi = defineApi({
  key: 44,
  name: "IncrementalAlterConfigs",
  versions: [0, 1],
  flexible: 1,
  request,
  response,
});

export type IncrementalAlterConfigsRequest = Infer<typeof request>;
export type IncrementalAlterConfigsRequestInput = InferInput<typeof request>;
export type IncrementalAlterConfigsResponse = Infer<typeof response>;
export type IncrementalAlterConfigsResponseInput = InferInput<typeof response>;
