import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  filters: array(
    struct({
      resourceTypeFilter: int8,
      resourceNameFilter: f(string, { nullable: true }),
      patternTypeFilter: f(int8, { default: 3 }),
      principalFilter: f(string, { nullable: true }),
      hostFilter: f(string, { nullable: true }),
      operation: int8,
      permissionType: int8,
    }),
  ),
});

const response = struct({
  throttleTimeMs: int32,
  filterResults: array(
    struct({
      errorCode: int16,
      errorMessage: f(string, { nullable: true }),
      matchingAcls: array(
        struct({
          errorCode: int16,
          errorMessage: f(string, { nullable: true }),
          resourceType: int8,
          resourceName: string,
          patternType: f(int8, { default: 3 }),
          principal: string,
          host: string,
          operation: int8,
          permissionType: int8,
        }),
      ),
    }),
  ),
});

/** Removes the access rules that match any of the filters, and names them. */
export const deleteAclsApi = defineApi({
  key: 31,
  name: "DeleteAcls",
  versions: [1, 3],
  flexible: 2,
  request,
  response,
});

export type DeleteAclsRequest = Infer<typeof request>;
export type DeleteAclsRequestInput = InferInput<typeof request>;
export type DeleteAclsResponse = Infer<typeof response>;
export type DeleteAclsResponseInput = InferInput<typeof response>;
