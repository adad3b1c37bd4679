import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, string, struct, uuid } from "../schema/types.ts";

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
          rackId: f(string, { nullable: true, default: null }),
          memberEpoch: int32,
          clientId: string,
          clientHost: string,
          subscribedTopicNames: array(string),
          assignment,
        }),
      ),
      authorizedOperations: f(int32, { default: -0x8000_0000 }),
    }),
  ),
});

/** State and members of share groups. */
export const shareGroupDescribeApi = defineApi({
  key: 77,
  name: "ShareGroupDescribe",
  versions: [1, 1],
  flexible: 0,
  request,
  response,
});

export type ShareGroupDescribeRequest = Infer<typeof request>;
export type ShareGroupDescribeRequestInput = InferInput<typeof request>;
export type ShareGroupDescribeResponse = Infer<typeof response>;
export type ShareGroupDescribeResponseInput = InferInput<typeof response>;
