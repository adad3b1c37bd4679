import type { ConsumerGroupDescribe, ReplyTo } from "@mantou/groups";
import type {
  ConsumerGroupDescribeRequest,
  ConsumerGroupDescribeResponseInput,
} from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { gather } from "./ask-groups.ts";
import { GROUP_OPERATIONS, OPERATIONS_NOT_ASKED } from "./authorized-operations.ts";

type Described = ReplyTo<ConsumerGroupDescribe>;

/** Groups of the consumer protocol, each from its own shard. */
export function handleConsumerGroupDescribe(
  broker: BrokerContext,
  _call: Call,
  request: ConsumerGroupDescribeRequest,
): Outcome<ConsumerGroupDescribeResponseInput> {
  const authorizedOperations = request.includeAuthorizedOperations
    ? GROUP_OPERATIONS
    : OPERATIONS_NOT_ASKED;
  return gather<string, Described, ConsumerGroupDescribeResponseInput>(
    request.groupIds,
    (groupId, settle) => {
      if (groupId === "") {
        settle(refusedGroup(groupId, { errorCode: ErrorCode.INVALID_GROUP_ID }));
        return;
      }
      broker.groups.ask(groupId, { kind: "consumerGroupDescribe", groupId }, (errorCode, reply) =>
        settle(
          reply === null
            ? refusedGroup(groupId, { errorCode })
            : shown(reply, authorizedOperations),
        ),
      );
    },
    (groups) => ({ throttleTimeMs: 0, groups }),
  );
}

export const refuseConsumerGroupDescribe = (
  request: ConsumerGroupDescribeRequest,
  failure: Refused,
): ConsumerGroupDescribeResponseInput => ({
  throttleTimeMs: 0,
  groups: request.groupIds.map((groupId) => refusedGroup(groupId, failure)),
});

const refusedGroup = (groupId: string, { errorCode, errorMessage = null }: Refused): Described => ({
  errorCode,
  errorMessage,
  groupId,
  groupState: "",
  groupEpoch: 0,
  assignmentEpoch: 0,
  assignorName: "",
  members: [],
  authorizedOperations: OPERATIONS_NOT_ASKED,
});

/** Of a group that cannot be described, nobody is told what he may do with it. */
const shown = (group: Described, authorizedOperations: number): Described =>
  group.errorCode === ErrorCode.NONE ? { ...group, authorizedOperations } : group;
