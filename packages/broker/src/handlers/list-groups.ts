import type { ListGroups, ReplyTo } from "@mantou/groups";
import type { ListGroupsRequest, ListGroupsResponseInput } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { gather } from "./ask-groups.ts";

/** The groups that this broker coordinates. While some are loaded, the client comes back. */
export function handleListGroups(
  broker: BrokerContext,
  _call: Call,
  request: ListGroupsRequest,
): Outcome<ListGroupsResponseInput> {
  const { statesFilter, typesFilter } = request;
  const partitions = broker.groups.activePartitions();
  if (partitions === null) {
    const errorCode = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
    return answer(refuseListGroups(request, { errorCode }));
  }
  const command = { kind: "listGroups", statesFilter, typesFilter } as const;
  return gather<number, ReplyTo<ListGroups>, ListGroupsResponseInput>(
    partitions,
    // What this broker stopped to lead meanwhile is another's to list.
    (partition, settle) =>
      broker.groups.askPartition(partition, command, (_, groups) => settle(groups ?? [])),
    (parts) => ({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, groups: parts.flat() }),
  );
}

export const refuseListGroups = (
  _request: ListGroupsRequest,
  { errorCode }: Refused,
): ListGroupsResponseInput => ({ throttleTimeMs: 0, errorCode, groups: [] });
