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

const endpoint = struct({ host: string, port: uint16 });

const taskOffset = struct({ subtopologyId: string, partition: int32, offset: int64 });

const taskIds = struct({ subtopologyId: string, partitions: array(int32) });

const assignment = struct({
  activeTasks: array(taskIds),
  standbyTasks: array(taskIds),
  warmupTasks: array(taskIds),
});

const topologyDescriptionNode = struct({
  name: string,
  nodeType: int8,
  sourceTopics: array(string),
  sinkTopic: f(string, { nullable: true, default: null }),
  stores: array(string),
  successors: array(string),
});

const topologyDescriptionSubtopology = struct({
  subtopologyId: string,
  nodes: array(topologyDescriptionNode),
});

const topologyDescriptionGlobalStore = struct({
  source: topologyDescriptionNode,
  processor: topologyDescriptionNode,
});

const topologyDescription = struct({
  subtopologies: array(topologyDescriptionSubtopology),
  globalStores: array(topologyDescriptionGlobalStore),
});

const request = struct({
  groupIds: array(string),
  includeAuthorizedOperations: bool,
  includeTopologyDescription: f(bool, { since: 1, default: false }),
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
      topology: f(
        struct({
          epoch: int32,
          subtopologies: f(
            array(
              struct({
                subtopologyId: string,
                sourceTopics: array(string),
                repartitionSinkTopics: array(string),
                stateChangelogTopics: array(topicInfo),
                repartitionSourceTopics: array(topicInfo),
              }),
            ),
            { nullable: true, default: null },
          ),
        }),
        { nullable: true, default: null },
      ),
      members: array(
        struct({
          memberId: string,
          memberEpoch: int32,
          instanceId: f(string, { nullable: true, default: null }),
          rackId: f(string, { nullable: true, default: null }),
          clientId: string,
          clientHost: string,
          topologyEpoch: int32,
          processId: string,
          userEndpoint: f(endpoint, { nullable: true, default: null }),
          clientTags: array(keyValue),
          taskOffsets: array(taskOffset),
          taskEndOffsets: array(taskOffset),
          assignment,
          targetAssignment: assignment,
          isClassic: bool,
        }),
      ),
      authorizedOperations: f(int32, { default: -0x8000_0000 }),
      topologyDescription: f(topologyDescription, { since: 1, nullable: true, default: null }),
      topologyDescriptionStatus: f(int8, { since: 1, default: 0 }),
      assignorName: f(string, { since: 1, nullable: true, default: null, ignorable: true }),
    }),
  ),
});

/** State, topology and members of streams groups. */
export const streamsGroupDescribeApi = defineApi({
  key: 89,
  name: "StreamsGroupDescribe",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type StreamsGroupDescribeRequest = Infer<typeof request>;
export type StreamsGroupDescribeRequestInput = InferInput<typeof request>;
export type StreamsGroupDescribeResponse = Infer<typeof response>;
export type StreamsGroupDescribeResponseInput = InferInput<typeof response>;
