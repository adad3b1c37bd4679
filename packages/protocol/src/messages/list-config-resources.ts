import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  resourceTypes: f(array(int8), { since: 1 }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  configResources: array(
    struct({
      resourceName: string,
      resourceType: f(int8, { since: 1, default: 16, ignorable: true }),
    }),
  ),
});

/**
 * Names of resources that have configs. Version 0 lists client metrics only, 1 the given types,
 * or all of them when none is given.
 */
export const listConfigResourcesApi = defineApi({
  key: 74,
  name: "ListConfigResources",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type ListConfigResourcesRequest = Infer<typeof request>;
export type ListConfigResourcesRequestInput = InferInput<typeof request>;
export type ListConfigResourcesResponse = Infer<typeof response>;
export type ListConfigResourcesResponseInput = InferInput<typeof response>;
