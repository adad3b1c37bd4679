import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  groupsNames: array(string),
});

const response = struct({
  throttleTimeMs: int32,
  results: array(
    struct({
      groupId: string,
      errorCode: int16,
      errorMessage: f(string, { since: 3, nullable: true, default: null, ignorable: true }),
    }),
  ),
});

/** Deletes groups that have no members. Version 3 explains a failure in words. */
export const deleteGroupsApi = defineApi({
  key: 42,
  name: "DeleteGroups",
  versions: [0, 3],
  flexible: 2,
  request,
  response,
});

export type DeleteGroupsRequest = Infer<typeof request>;
export type DeleteGroupsRequestInput = InferInput<typeof request>;
export type DeleteGroupsResponse = Infer<typeof response>;
export type DeleteGroupsResponseInput = InferInput<typeof response>;
