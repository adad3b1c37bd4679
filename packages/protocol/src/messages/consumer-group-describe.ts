import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int8, string, struct, uuid } from "../schema/types.ts";

const topicPartitions = struct({ topicId: uuid, topicName: string, partitions: array(int32) });

const assignment = struct({ topicPartitions: array(topicPartitions) });

const request = struct({
  groupIds: array(string),
  includeAuthorizedOperations: bool,
});

const response = struct({
  throttleTimeMs: int32,
  groups: array(
    struct({
      errorCode: int16,
      errorMessage: f(string, { nullable: true, default: null }),
      groupId: string,
      groupState: string,
      groupEpoch: int32,
      assignmentEpoch: int32,
      assignorName: string,
      members: array(
        struct({
          memberId: string,
          instanceId: f(string, { nullable: true, default: null }),
          rackId: f(string, { nullable: true, default: null }),
          memberEpoch: int32,
          clientId: string,
          clientHost: string,
          subscribedTopicNames: array(string),
          subscribedTopicRegex: f(string, { nullable: true, default: null }),
          assignment,
          targetAssignment: assignment,
          memberType: f(int8, { since: 1, default: -1, ignorable: true }),
        }),
      ),
      authorizedOperations: f(int32, { default: -0x8000_0000 }),
    }),
  ),
});

/** State, members and assignments of groups that use the consumer protocol. */
export const consumerGroupDescribeApi = defineApi({
  key: 69,
  name: "ConsumerGroupDescribe",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type ConsumerGroupDescribeRequest = Infer<typeof request>;
export type ConsumerGroupDescribeRequestInput = InferInput<typeof request>;
export type ConsumerGroupDescribeResponse = Infer<typeof response>;
export type ConsumerGroupDescribeResponseInput = InferInput<typeof response>;
