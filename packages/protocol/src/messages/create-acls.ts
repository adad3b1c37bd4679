import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  creations: array(
    struct({
      resourceType: int8,
      resourceName: string,
      resourcePatternType: f(int8, { default: 3 }),
      principal: string,
      host: string,
      operation: int8,
      permissionType: int8,
    }),
  ),
});

const response = struct({
  throttleTimeMs: int32,
  results: array(struct({ errorCode: int16, errorMessage: f(string, { nullable: true }) })),
});

/** Adds access rules, each answered on its own. */
export const createAclsApi = defineApi({
  key: 30,
  name: "CreateAcls",
  versions: [1, 3],
  flexible: 2,
  request,
  response,
});

export type CreateAclsRequest = Infer<typeof request>;
export type CreateAclsRequestInput = InferInput<typeof request>;
export type CreateAclsResponse = Infer<typeof response>;
export type CreateAclsResponseInput = InferInput<typeof response>;
