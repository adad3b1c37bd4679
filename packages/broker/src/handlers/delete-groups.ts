import type { DeleteGroup, ReplyTo } from "@mantou/groups";
import type { DeleteGroupsRequest, DeleteGroupsResponseInput } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Failure } from "../refusals.ts";
import { gather } from "./ask-groups.ts";

/** Each group by itself; one that is named twice is asked for once. */
export function handleDeleteGroups(
  broker: BrokerContext,
  _call: Call,
  request: DeleteGroupsRequest,
): Outcome<DeleteGroupsResponseInput> {
  return gather<string, ReplyTo<DeleteGroup>, DeleteGroupsResponseInput>(
    [...new Set(request.groupsNames)],
    (groupId, settle) =>
      broker.groups.ask(groupId, { kind: "deleteGroup", groupId }, (errorCode, reply) =>
        settle(reply ?? { groupId, errorCode, errorMessage: null }),
      ),
    (results) => ({ throttleTimeMs: 0, results }),
  );
}

export const refuseDeleteGroups = (
  request: DeleteGroupsRequest,
  { errorCode, errorMessage }: Failure,
): DeleteGroupsResponseInput => ({
  throttleTimeMs: 0,
  results: request.groupsNames.map((groupId) => ({ groupId, errorCode, errorMessage })),
});
