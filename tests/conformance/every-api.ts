import type { Uuid } from "@mantou/base";
import { encodeBatch } from "@mantou/protocol";
import { recordOf } from "./raw-requests.ts";

/** A request for each API that is served, such that its answer has something of everything. */

const TOPIC_RESOURCE = 2;
const topicResource = (name: string) => ({ resourceType: TOPIC_RESOURCE, resourceName: name });

/** A subscription of the embedded consumer protocol, version 0, to nothing. */
const NO_SUBSCRIPTION = new Uint8Array(10);
const ANOTHER_MEMBER = { groupId: "g", generationId: 1, memberId: "m" };

const STRANGER = { transactionalId: "no-such-id", producerId: 1, producerEpoch: 0 };

type Requests = Readonly<
  Record<string, (topic: string, topicId: Uuid, version: number) => Readonly<object>>
>;

const requests: Requests = {
  Produce: (name, topicId) => ({
    ...{ transactionalId: null, acks: -1, timeoutMs: 1000 },
    topicData: [
      { name, topicId, partitionData: [{ index: 0, records: encodeBatch([recordOf("v")]) }] },
    ],
  }),
  Fetch: (topic, topicId) => ({
    ...{ maxWaitMs: 0, minBytes: 0 },
    topics: [
      { topic, topicId, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 9999 }] },
    ],
  }),
  ListOffsets: (name) => ({
    replicaId: -1,
    topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: 0 }] }],
  }),
  Metadata: (name) => ({ topics: [{ name }] }),
  FindCoordinator: (_topic, _id, version) =>
    version < 4 ? { key: "group" } : { coordinatorKeys: ["group"] },
  ApiVersions: () => ({ clientSoftwareName: "trap", clientSoftwareVersion: "1" }),
  CreateTopics: (name) => ({
    topics: [`${name}-new`, name].map((topic) => ({
      ...{ name: topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
    })),
    validateOnly: true,
  }),
  DeleteTopics: (_topic, _id, version) => ({
    ...(version < 6
      ? { topicNames: ["no-such-topic"] }
      : { topics: [{ name: "no-such-topic", topicId: "AAAAAAAAAAAAAAAAAAAAAA" }] }),
    timeoutMs: 1000,
  }),
  DeleteRecords: (name) => ({
    topics: [{ name, partitions: [{ partitionIndex: 0, offset: 0 }] }],
    timeoutMs: 1000,
  }),
  InitProducerId: () => ({ transactionalId: null, transactionTimeoutMs: 1000 }),
  OffsetForLeaderEpoch: (topic) => ({
    topics: [{ topic, partitions: [{ partition: 0, leaderEpoch: 0 }] }],
  }),
  DescribeConfigs: (name, _id, version) => ({
    resources: [{ ...topicResource(name), configurationKeys: null }],
    ...{ includeSynonyms: true, includeDocumentation: version >= 3 },
  }),
  AlterConfigs: (name) => ({
    resources: [{ ...topicResource(name), configs: [{ name: "retention.ms", value: "1000" }] }],
    validateOnly: true,
  }),
  IncrementalAlterConfigs: (name) => ({
    resources: [
      {
        ...topicResource(name),
        configs: [{ name: "retention.ms", configOperation: 0, value: "1000" }],
      },
    ],
    validateOnly: true,
  }),
  DescribeLogDirs: () => ({ topics: null }),
  CreatePartitions: (name) => ({
    ...{ topics: [{ name, count: 2, assignments: null }], timeoutMs: 1000, validateOnly: true },
  }),
  DescribeQuorum: () => ({
    topics: [{ topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] }],
  }),
  DescribeCluster: () => ({ includeClusterAuthorizedOperations: true }),
  DescribeProducers: (name) => ({ topics: [{ name, partitionIndexes: [0] }] }),
  ListConfigResources: () => ({ resourceTypes: [] }),
  DescribeTopicPartitions: (name) => ({ topics: [{ name }] }),
  JoinGroup: (name, _id, version) => ({
    ...{ groupId: `${name}-${version}`, memberId: "", sessionTimeoutMs: 6000 },
    ...(version >= 1 ? { rebalanceTimeoutMs: 6000 } : {}),
    ...{ protocolType: "consumer", protocols: [{ name: "range", metadata: NO_SUBSCRIPTION }] },
  }),
  SyncGroup: () => ({ ...ANOTHER_MEMBER, assignments: [] }),
  Heartbeat: () => ANOTHER_MEMBER,
  LeaveGroup: (_name, _id, version) =>
    version < 3
      ? { groupId: "g", memberId: "m" }
      : { groupId: "g", members: [{ memberId: "m", groupInstanceId: null }] },
  OffsetCommit: (name, topicId, version) => ({
    ...{ groupId: "g", generationIdOrMemberEpoch: -1, memberId: "" },
    topics: [
      {
        ...(version < 10 ? { name } : { topicId }),
        partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: "m" }],
      },
    ],
  }),
  OffsetFetch: (name, topicId, version) => {
    const topics = [{ ...(version < 10 ? { name } : { topicId }), partitionIndexes: [0] }];
    return version < 8 ? { groupId: "g", topics } : { groups: [{ groupId: "g", topics }] };
  },
  OffsetDelete: (name) => ({
    ...{ groupId: "g", topics: [{ name, partitions: [{ partitionIndex: 0 }] }] },
  }),
  ListGroups: () => ({}),
  DescribeGroups: () => ({ groups: ["g"], includeAuthorizedOperations: false }),
  DeleteGroups: () => ({ groupsNames: ["no-such-group"] }),
  ConsumerGroupHeartbeat: (name) => ({
    ...{ groupId: `${name}-c`, memberId: "AAAAAAAAAAAAAAAAAAAAAQ", memberEpoch: 0 },
    ...{ rebalanceTimeoutMs: 6000, subscribedTopicNames: [name], topicPartitions: [] },
  }),
  ConsumerGroupDescribe: (name) => ({
    ...{ groupIds: [`${name}-c`], includeAuthorizedOperations: true },
  }),
  AddPartitionsToTxn: (name, _id, version) => {
    const topics = [{ name, partitions: [0] }];
    const { transactionalId, producerId, producerEpoch } = STRANGER;
    return version < 4
      ? {
          v3AndBelowTransactionalId: transactionalId,
          v3AndBelowProducerId: producerId,
          v3AndBelowProducerEpoch: producerEpoch,
          v3AndBelowTopics: topics,
        }
      : { transactions: [{ ...STRANGER, verifyOnly: true, topics }] };
  },
  AddOffsetsToTxn: () => ({ ...STRANGER, groupId: "g" }),
  TxnOffsetCommit: (name, topicId, version) => ({
    ...{ ...STRANGER, groupId: "g" },
    topics: [
      {
        ...(version < 6 ? { name } : { topicId }),
        partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: "m" }],
      },
    ],
  }),
  EndTxn: () => ({ ...STRANGER, committed: true }),
  WriteTxnMarkers: (name) => ({
    markers: [
      {
        ...{ producerId: 1, producerEpoch: 0, transactionResult: true, coordinatorEpoch: 0 },
        topics: [{ name, partitionIndexes: [0] }],
      },
    ],
  }),
  DescribeTransactions: () => ({ transactionalIds: [STRANGER.transactionalId] }),
  ListTransactions: () => ({ stateFilters: ["Ongoing", "None"], producerIdFilters: [] }),
};

/** Throws for an API that has none here: each that is served gets one. */
export function everyApiRequest(
  api: string,
  version: number,
  topic: { readonly name: string; readonly topicId: Uuid },
): object {
  const make = requests[api];
  if (make === undefined) throw new Error(`${api} is served: give it a request in every-api.ts`);
  return make(topic.name, topic.topicId, version);
}
