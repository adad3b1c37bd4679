import type { AnyApi, Api } from "@mantou/protocol";
import {
  addOffsetsToTxnApi,
  addPartitionsToTxnApi,
  alterConfigsApi,
  apiVersionsApi,
  consumerGroupDescribeApi,
  consumerGroupHeartbeatApi,
  createPartitionsApi,
  createTopicsApi,
  deleteGroupsApi,
  deleteRecordsApi,
  deleteTopicsApi,
  describeClusterApi,
  describeConfigsApi,
  describeGroupsApi,
  describeLogDirsApi,
  describeProducersApi,
  describeQuorumApi,
  describeTopicPartitionsApi,
  describeTransactionsApi,
  endTxnApi,
  fetchApi,
  findCoordinatorApi,
  heartbeatApi,
  incrementalAlterConfigsApi,
  initProducerIdApi,
  joinGroupApi,
  leaveGroupApi,
  listConfigResourcesApi,
  listGroupsApi,
  listOffsetsApi,
  listTransactionsApi,
  metadataApi,
  offsetCommitApi,
  offsetDeleteApi,
  offsetFetchApi,
  offsetForLeaderEpochApi,
  produceApi,
  syncGroupApi,
  txnOffsetCommitApi,
  writeTxnMarkersApi,
} from "@mantou/protocol";
import { fetchRefusal } from "./fetch/fetch-answer.ts";
import type { Handler, Outcome, ServedApi } from "./handler.ts";
import { handleAddOffsetsToTxn, refuseAddOffsetsToTxn } from "./handlers/add-offsets-to-txn.ts";
import {
  handleAddPartitionsToTxn,
  refuseAddPartitionsToTxn,
} from "./handlers/add-partitions-to-txn.ts";
import { handleAlterConfigs } from "./handlers/alter-configs.ts";
import { handleApiVersions } from "./handlers/api-versions.ts";
import {
  handleConsumerGroupDescribe,
  refuseConsumerGroupDescribe,
} from "./handlers/consumer-group-describe.ts";
import {
  handleConsumerGroupHeartbeat,
  refuseConsumerGroupHeartbeat,
} from "./handlers/consumer-group-heartbeat.ts";
import { handleCreatePartitions } from "./handlers/create-partitions.ts";
import { handleCreateTopics } from "./handlers/create-topics.ts";
import { handleDeleteGroups, refuseDeleteGroups } from "./handlers/delete-groups.ts";
import { handleDeleteRecords } from "./handlers/delete-records.ts";
import { handleDeleteTopics } from "./handlers/delete-topics.ts";
import { handleDescribeCluster } from "./handlers/describe-cluster.ts";
import { handleDescribeConfigs } from "./handlers/describe-configs.ts";
import { handleDescribeGroups, refuseDescribeGroups } from "./handlers/describe-groups.ts";
import { handleDescribeLogDirs } from "./handlers/describe-log-dirs.ts";
import { handleDescribeProducers } from "./handlers/describe-producers.ts";
import { handleDescribeQuorum } from "./handlers/describe-quorum.ts";
import { handleDescribeTopicPartitions } from "./handlers/describe-topic-partitions.ts";
import {
  handleDescribeTransactions,
  refuseDescribeTransactions,
} from "./handlers/describe-transactions.ts";
import { handleEndTxn, refuseEndTxn } from "./handlers/end-txn.ts";
import { handleFindCoordinator, refuseFindCoordinator } from "./handlers/find-coordinator.ts";
import { handleHeartbeat, refuseHeartbeat } from "./handlers/heartbeat.ts";
import { handleIncrementalAlterConfigs } from "./handlers/incremental-alter-configs.ts";
import { handleInitProducerId } from "./handlers/init-producer-id.ts";
import { handleJoinGroup, refuseJoinGroup } from "./handlers/join-group.ts";
import { handleLeaveGroup, refuseLeaveGroup } from "./handlers/leave-group.ts";
import { handleListConfigResources } from "./handlers/list-config-resources.ts";
import { handleListGroups, refuseListGroups } from "./handlers/list-groups.ts";
import { handleListOffsets } from "./handlers/list-offsets.ts";
import { handleListTransactions, refuseListTransactions } from "./handlers/list-transactions.ts";
import { handleMetadata } from "./handlers/metadata.ts";
import { handleOffsetCommit, refuseOffsetCommit } from "./handlers/offset-commit.ts";
import { handleOffsetDelete, refuseOffsetDelete } from "./handlers/offset-delete.ts";
import { handleOffsetFetch, refuseOffsetFetch } from "./handlers/offset-fetch.ts";
import { handleOffsetForLeaderEpoch } from "./handlers/offset-for-leader-epoch.ts";
import { handleSyncGroup, refuseSyncGroup } from "./handlers/sync-group.ts";
import { handleTxnOffsetCommit, refuseTxnOffsetCommit } from "./handlers/txn-offset-commit.ts";
import { handleWriteTxnMarkers, refuseWriteTxnMarkers } from "./handlers/write-txn-markers.ts";
import * as refusals from "./refusals.ts";
import type { Failure } from "./refusals.ts";

/** One API that this broker serves. The list below is what ApiVersions and the docs derive from. */
export interface ServedEntry {
  readonly api: AnyApi;
  /** The lowest version told to clients; lower than what is accepted only for Produce. */
  readonly minAdvertised: number;
  readonly maxVersion: number;
  readonly handle: Handler<unknown, unknown>;
  /** The API's own form of one error for everything that was asked. */
  readonly refuse: (request: unknown, failure: Failure, version: number) => unknown;
}

interface Limits {
  readonly minAdvertised?: number;
  readonly maxVersion?: number;
}

/** Ties an API to its handler; the types of the three must agree. */
function serve<Request, Response, RequestInput, ResponseInput>(
  api: Api<Request, Response, RequestInput, ResponseInput>,
  handle: Handler<Request, ResponseInput>,
  refuse: (request: Request, failure: Failure, version: number) => ResponseInput,
  limits: Limits = {},
): ServedEntry {
  return {
    api,
    minAdvertised: limits.minAdvertised ?? api.minVersion,
    maxVersion: limits.maxVersion ?? api.maxVersion,
    handle: handle as Handler<unknown, unknown>,
    refuse: refuse as ServedEntry["refuse"],
  };
}

/** Produce and Fetch are stages of the tick (see `Dispatch`), not functions of one request. */
const stage = (): Outcome<never> => ({ kind: "close", reason: "handled by a stage" });

const throttleTimeMs = 0;

export const servedApis: readonly ServedEntry[] = [
  // librdkafka before 2.11.1 turns compression off when the lowest Produce version is above 0.
  serve(produceApi, stage, refusals.refuseProduce, { minAdvertised: 0 }),
  serve(fetchApi, stage, (_, { errorCode }) => fetchRefusal(errorCode)),
  serve(listOffsetsApi, handleListOffsets, refusals.refuseListOffsets),
  serve(metadataApi, handleMetadata, refusals.refuseMetadata),
  serve(offsetCommitApi, handleOffsetCommit, refuseOffsetCommit),
  serve(offsetFetchApi, handleOffsetFetch, refuseOffsetFetch),
  serve(findCoordinatorApi, handleFindCoordinator, refuseFindCoordinator),
  // librdkafka before 2.11.0 takes no part in groups where version 0 is missing.
  serve(joinGroupApi, handleJoinGroup, refuseJoinGroup),
  serve(heartbeatApi, handleHeartbeat, refuseHeartbeat),
  serve(leaveGroupApi, handleLeaveGroup, refuseLeaveGroup),
  serve(syncGroupApi, handleSyncGroup, refuseSyncGroup),
  serve(describeGroupsApi, handleDescribeGroups, refuseDescribeGroups),
  serve(listGroupsApi, handleListGroups, refuseListGroups),
  serve(apiVersionsApi, handleApiVersions, (_, { errorCode }) => ({
    errorCode,
    apiKeys: [],
    throttleTimeMs,
    supportedFeatures: [],
    finalizedFeaturesEpoch: -1,
    finalizedFeatures: [],
    zkMigrationReady: false,
  })),
  serve(createTopicsApi, handleCreateTopics, refusals.refuseCreateTopics),
  serve(deleteTopicsApi, handleDeleteTopics, refusals.refuseDeleteTopics),
  serve(deleteRecordsApi, handleDeleteRecords, refusals.refuseDeleteRecords),
  // Version 6 belongs to two-phase commit (KIP-939), which Kafka itself does not enable.
  serve(
    initProducerIdApi,
    handleInitProducerId,
    (_, { errorCode }) => ({
      throttleTimeMs,
      errorCode,
      producerId: -1,
      producerEpoch: -1,
      ongoingTxnProducerId: -1,
      ongoingTxnProducerEpoch: -1,
    }),
    { maxVersion: 5 },
  ),
  serve(offsetForLeaderEpochApi, handleOffsetForLeaderEpoch, refusals.refuseOffsetForLeaderEpoch),
  serve(describeConfigsApi, handleDescribeConfigs, refusals.refuseDescribeConfigs),
  serve(alterConfigsApi, handleAlterConfigs, refusals.refuseAlterConfigs),
  serve(describeLogDirsApi, handleDescribeLogDirs, (_, { errorCode }) => ({
    throttleTimeMs,
    errorCode,
    results: [],
  })),
  serve(createPartitionsApi, handleCreatePartitions, refusals.refuseCreatePartitions),
  serve(deleteGroupsApi, handleDeleteGroups, refuseDeleteGroups),
  serve(incrementalAlterConfigsApi, handleIncrementalAlterConfigs, refusals.refuseAlterConfigs),
  serve(offsetDeleteApi, handleOffsetDelete, refuseOffsetDelete),
  serve(describeQuorumApi, handleDescribeQuorum, (_, { errorCode, errorMessage }) => ({
    errorCode,
    errorMessage,
    topics: [],
    nodes: [],
  })),
  serve(describeClusterApi, handleDescribeCluster, (_, { errorCode, errorMessage }) => ({
    throttleTimeMs,
    errorCode,
    errorMessage,
    endpointType: 1,
    clusterId: "",
    controllerId: -1,
    brokers: [],
    clusterAuthorizedOperations: -2147483648,
  })),
  serve(addPartitionsToTxnApi, handleAddPartitionsToTxn, refuseAddPartitionsToTxn),
  serve(addOffsetsToTxnApi, handleAddOffsetsToTxn, refuseAddOffsetsToTxn),
  serve(txnOffsetCommitApi, handleTxnOffsetCommit, refuseTxnOffsetCommit),
  serve(endTxnApi, handleEndTxn, refuseEndTxn),
  serve(writeTxnMarkersApi, handleWriteTxnMarkers, refuseWriteTxnMarkers),
  serve(describeTransactionsApi, handleDescribeTransactions, refuseDescribeTransactions),
  serve(listTransactionsApi, handleListTransactions, refuseListTransactions),
  serve(describeProducersApi, handleDescribeProducers, refusals.refuseDescribeProducers),
  serve(consumerGroupHeartbeatApi, handleConsumerGroupHeartbeat, refuseConsumerGroupHeartbeat),
  serve(consumerGroupDescribeApi, handleConsumerGroupDescribe, refuseConsumerGroupDescribe),
  serve(listConfigResourcesApi, handleListConfigResources, (_, { errorCode }) => ({
    throttleTimeMs,
    errorCode,
    configResources: [],
  })),
  serve(
    describeTopicPartitionsApi,
    handleDescribeTopicPartitions,
    refusals.refuseDescribeTopicPartitions,
  ),
];

export const servedByKey: ReadonlyMap<number, ServedEntry> = new Map(
  servedApis.map((entry) => [entry.api.key, entry]),
);

/** What ApiVersions tells, in ascending order of the key. */
export const advertisedApis: readonly ServedApi[] = servedApis
  .map(({ api, minAdvertised, maxVersion }) => ({
    key: api.key,
    minVersion: minAdvertised,
    maxVersion,
  }))
  .sort((a, b) => a.key - b.key);
