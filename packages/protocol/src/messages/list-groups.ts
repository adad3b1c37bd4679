import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  statesFilter: f(array(string), { since: 4 }),
  typesFilter: f(array(string), { since: 5 }),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 1, ignorable: true }),
  errorCode: int16,
  groups: array(
    struct({
      groupId: string,
      protocolType: string,
      groupState: f(string, { since: 4, ignorable: true }),
      groupType: f(string, { since: 5, ignorable: true }),
    }),
  ),
});

/**
 * The groups that a broker coordinates, filtered by state from version 4 and by type from
 * version 5.
 */
export const listGroupsApi = defineApi({
  key: 16,
  name: "ListGroups",
  versions: [0, 5],
  flexible: 3,
  request,
  response,
});

export type ListGroupsRequest = Infer<typeof request>;
export type ListGroupsRequestInput = InferInput<typeof request>;
export type ListGroupsResponse = Infer<typeof response>;
export type ListGroupsResponseInput = InferInput<typeof response>;
