import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  topics: f(
    array(
      struct({
        topicId: f(uuid, { since: 10, ignorable: true }),
        name: f(string, { nullable: 10 }),
      }),
    ),
    { nullable: 1 },
  ),
  allowAutoTopicCreation: f(bool, { since: 4, default: true }),
  includeClusterAuthorizedOperations: f(bool, { since: 8, until: 10 }),
  includeTopicAuthorizedOperations: f(bool, { since: 8 }),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 3, ignorable: true }),
  brokers: array(
    struct({
      nodeId: int32,
      host: string,
      port: int32,
      rack: f(string, { since: 1, nullable: true, default: null, ignorable: true }),
    }),
  ),
  clusterId: f(string, { since: 2, nullable: true, default: null, ignorable: true }),
  controllerId: f(int32, { since: 1, default: -1, ignorable: true }),
  topics: array(
    struct({
      errorCode: int16,
      name: f(string, { nullable: 12 }),
      topicId: f(uuid, { since: 10, ignorable: true }),
      isInternal: f(bool, { since: 1, default: false, ignorable: true }),
      partitions: array(
        struct({
          errorCode: int16,
          partitionIndex: int32,
          leaderId: int32,
          leaderEpoch: f(int32, { since: 7, default: -1, ignorable: true }),
          replicaNodes: array(int32),
          isrNodes: array(int32),
          offlineReplicas: f(array(int32), { since: 5, ignorable: true }),
        }),
      ),
      topicAuthorizedOperations: f(int32, { since: 8, default: -0x8000_0000 }),
    }),
  ),
  clusterAuthorizedOperations: f(int32, { since: 8, until: 10, default: -0x8000_0000 }),
  errorCode: f(int16, { since: 13, ignorable: true }),
});

/**
 * Brokers, topics, partitions and their leaders. A null list of topics means all of them (at
 * version 0 an empty one does); from version 10 topics have ids, from 12 they may be asked for
 * by id.
 */
export const metadataApi = defineApi({
  key: 3,
  name: "Metadata",
  versions: [0, 13],
  flexible: 9,
  request,
  response,
});

export type MetadataRequest = Infer<typeof request>;
export type MetadataRequestInput = InferInput<typeof request>;
export type MetadataResponse = Infer<typeof response>;
export type MetadataResponseInput = InferInput<typeof response>;
