import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, string, struct, uint16, uuid } from "../schema/types.ts";

const replicaState = struct({
  replicaId: int32,
  replicaDirectoryId: f(uuid, { since: 2 }),
  logEndOffset: int64,
  lastFetchTimestamp: f(int64, { since: 1, default: -1, ignorable: true }),
  lastCaughtUpTimestamp: f(int64, { since: 1, default: -1, ignorable: true }),
});

const request = struct({
  topics: array(
    struct({ topicName: string, partitions: array(struct({ partitionIndex: int32 })) }),
  ),
});

const response = struct({
  errorCode: int16,
  errorMessage: f(string, { since: 2, nullable: true, ignorable: true }),
  topics: array(
    struct({
      topicName: string,
      partitions: array(
        struct({
          partitionIndex: int32,
          errorCode: int16,
          errorMessage: f(string, { since: 2, nullable: true, ignorable: true }),
          leaderId: int32,
          leaderEpoch: int32,
          highWatermark: int64,
          currentVoters: array(replicaState),
          observers: array(replicaState),
        }),
      ),
    }),
  ),
  nodes: f(
    array(
      struct({
        nodeId: int32,
        listeners: array(struct({ name: string, host: string, port: uint16 })),
      }),
    ),
    { since: 2 },
  ),
});

/** Leader, epoch and replicas of the metadata quorum, with how far each has come. */
export const describeQuorumApi = defineApi({
  key: 55,
  name: "DescribeQuorum",
  versions: [0, 2],
  flexible: 0,
  request,
  response,
});

export type DescribeQuorumRequest = Infer<typeof request>;
export type DescribeQuorumRequestInput = InferInput<typeof request>;
export type DescribeQuorumResponse = Infer<typeof response>;
export type DescribeQuorumResponseInput = InferInput<typeof response>;
