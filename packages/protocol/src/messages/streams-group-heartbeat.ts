import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import {
  array,
  bool,
  f,
  int16,
  int32,
  int64,
  int8,
  string,
  struct,
  uint16,
} from "../schema/types.ts";

const keyValue = struct({ key: string, value: string });

const topicInfo = struct({
  name: string,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(keyValue),
});

const taskIds = struct({ subtopologyId: string, partitions: array(int32) });

const endpoint = struct({ host: string, port: uint16 });

const taskOffset = struct({ subtopologyId: string, partition: int32, offset: int64 });

const status = struct({ statusCode: int8, statusDetail: string });

const topicPartition = struct({ topic: string, partitions: array(int32) });

const request = struct({
  groupId: string,
  memberId: string,
  memberEpoch: int32,
  endpointInformationEpoch: int32,
  instanceId: f(string, { nullable: true, default: null }),
  rackId: f(string, { nullable: true, default: null }),
  rebalanceTimeoutMs: f(int32, { default: -1 }),
  topology: f(
    struct({
      epoch: int32,
      subtopologies: array(
        struct({
          subtopologyId: string,
          sourceTopics: array(string),
          sourceTopicRegex: array(string),
          stateChangelogTopics: array(topicInfo),
          repartitionSinkTopics: array(string),
          repartitionSourceTopics: array(topicInfo),
          copartitionGroups: array(
            struct({
              sourceTopics: array(int16),
              sourceTopicRegex: array(int16),
              repartitionSourceTopics: array(int16),
            }),
          ),
        }),
      ),
    }),
    { nullable: true, default: null },
  ),
  activeTasks: f(array(taskIds), { nullable: true, default: null }),
  standbyTasks: f(array(taskIds), { nullable: true, default: null }),
  warmupTasks: f(array(taskIds), { nullable: true, default: null }),
  processId: f(string, { nullable: true, default: null }),
  userEndpoint: f(endpoint, { nullable: true, default: null }),
  clientTags: f(array(keyValue), { nullable: true, default: null }),
  taskOffsets: f(array(taskOffset), { nullable: true, default: null }),
  taskEndOffsets: f(array(taskOffset), { nullable: true, default: null }),
  shutdownApplication: f(bool, { default: false }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, default: null }),
  memberId: string,
  memberEpoch: int32,
  heartbeatIntervalMs: int32,
  acceptableRecoveryLagLegacy: f(int32, { until: 0 }),
  taskOffsetIntervalMs: int32,
  acceptableRecoveryLag: f(int64, { since: 1, default: -1, ignorable: true }),
  status: f(array(status), { nullable: true }),
  activeTasks: f(array(taskIds), { nullable: true, default: null }),
  standbyTasks: f(array(taskIds), { nullable: true, default: null }),
  warmupTasks: f(array(taskIds), { nullable: true, default: null }),
  topologyDescriptionRequired: f(bool, { since: 1, default: false }),
  endpointInformationEpoch: int32,
  partitionsByUserEndpoint: f(
    array(
      struct({
        userEndpoint: endpoint,
        activePartitions: array(topicPartition),
        standbyPartitions: array(topicPartition),
      }),
    ),
    { nullable: true, default: null },
  ),
});

/**
 * Membership of a streams group: topology, tasks and assignments (KIP-1071). A null field means
 * that nothing has changed.
 */
export const streamsGroupHeartbeatApi = defineApi({
  key: 88,
  name: "StreamsGroupHeartbeat",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type StreamsGroupHeartbeatRequest = Infer<typeof request>;
export type StreamsGroupHeartbeatRequestInput = InferInput<typeof request>;
export type StreamsGroupHeartbeatResponse = Infer<typeof response>;
export type StreamsGroupHeartbeatResponseInput = InferInput<typeof response>;
