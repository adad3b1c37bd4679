import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  resourceTypeFilter: int8,
  resourceNameFilter: f(string, { nullable: true }),
  patternTypeFilter: f(int8, { default: 3 }),
  principalFilter: f(string, { nullable: true }),
  hostFilter: f(string, { nullable: true }),
  operation: int8,
  permissionType: int8,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true }),
  resources: array(
    struct({
      resourceType: int8,
      resourceName: string,
      patternType: f(int8, { default: 3 }),
      acls: array(
        struct({ principal: string, host: string, operation: int8, permissionType: int8 }),
      ),
    }),
  ),
});

/**
 * Access rules that match a filter. Version 1 adds the pattern type, 2 is flexible, 3 knows
 * users as resources.
 */
export const describeAclsApi = defineApi({
  key: 29,
  name: "DescribeAcls",
  versions: [1, 3],
  flexible: 2,
  request,
  response,
});

export type DescribeAclsRequest = Infer<typeof request>;
export type DescribeAclsRequestInput = InferInput<typeof request>;
export type DescribeAclsResponse = Infer<typeof response>;
export type DescribeAclsResponseInput = InferInput<typeof response>;
