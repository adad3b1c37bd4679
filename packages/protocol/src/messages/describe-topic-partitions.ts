import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  topics: array(struct({ name: string })),
  responsePartitionLimit: f(int32, { default: 2000 }),
  cursor: f(struct({ topicName: string, partitionIndex: int32 }), {
    nullable: true,
    default: null,
  }),
});

const response = struct({
  throttleTimeMs: f(int32, { ignorable: true }),
  topics: array(
    struct({
      errorCode: int16,
      name: f(string, { nullable: true }),
      topicId: f(uuid, { ignorable: true }),
      isInternal: f(bool, { default: false, ignorable: true }),
      partitions: array(
        struct({
          errorCode: int16,
          partitionIndex: int32,
          leaderId: int32,
          leaderEpoch: f(int32, { default: -1, ignorable: true }),
          replicaNodes: array(int32),
          isrNodes: array(int32),
          eligibleLeaderReplicas: f(array(int32), { nullable: true, default: null }),
          lastKnownElr: f(array(int32), { nullable: true, default: null }),
          offlineReplicas: f(array(int32), { ignorable: true }),
        }),
      ),
      topicAuthorizedOperations: f(int32, { default: -0x8000_0000 }),
    }),
  ),
  nextCursor: f(struct({ topicName: string, partitionIndex: int32 }), {
    nullable: true,
    default: null,
  }),
});

/**
 * Topics and partitions with their eligible leader replicas, a page at a time: the cursor names
 * where the next page starts.
 */
export const describeTopicPartitionsApi = defineApi({
  key: 75,
  name: "DescribeTopicPartitions",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type DescribeTopicPartitionsRequest = Infer<typeof request>;
export type DescribeTopicPartitionsRequestInput = InferInput<typeof request>;
export type DescribeTopicPartitionsResponse = Infer<typeof response>;
export type DescribeTopicPartitionsResponseInput = InferInput<typeof response>;
