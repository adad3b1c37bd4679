import type { Uuid } from "@mantou/base";
import { ErrorCode, type MetadataResponse } from "@mantou/protocol";
import { BrokerError, brokerError } from "./errors.ts";

export interface BrokerNode {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

export interface PartitionMetadata {
  readonly partition: number;
  /** -1: there is none now. */
  readonly leaderId: number;
  /** -1: the broker is too old to tell. */
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
  readonly offline: readonly number[];
  readonly error: BrokerError | null;
}

export interface TopicMetadata {
  readonly name: string;
  /** The zero id where the broker is too old to have ids. */
  readonly topicId: Uuid;
  readonly isInternal: boolean;
  /** In the order of their numbers. */
  readonly partitions: readonly PartitionMetadata[];
}

export interface ClusterMetadata {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: readonly BrokerNode[];
  readonly topics: readonly TopicMetadata[];
  /** Topics that were asked for and could not be told about. */
  readonly failed: ReadonlyMap<string, BrokerError>;
}

/** Gives an answer its shape in this client. */
export function readMetadata(response: MetadataResponse): ClusterMetadata {
  const failed = new Map<string, BrokerError>();
  const topics: TopicMetadata[] = [];
  for (const topic of response.topics) {
    const name = topic.name ?? topic.topicId;
    const error = brokerError(topic.errorCode, `topic ${name}`);
    if (error !== null) failed.set(name, error);
    else topics.push(readTopic(topic, name));
  }
  return {
    clusterId: response.clusterId,
    controllerId: response.controllerId,
    brokers: response.brokers.map(({ nodeId, host, port, rack }) => ({
      id: nodeId,
      host,
      port,
      rack,
    })),
    topics,
    failed,
  };
}

function readTopic(topic: MetadataResponse["topics"][number], name: string): TopicMetadata {
  const partitions = topic.partitions.map((entry) => ({
    partition: entry.partitionIndex,
    leaderId: entry.leaderId,
    leaderEpoch: entry.leaderEpoch,
    replicas: entry.replicaNodes,
    inSync: entry.isrNodes,
    offline: entry.offlineReplicas,
    error: brokerError(entry.errorCode, `${name}-${entry.partitionIndex}`),
  }));
  partitions.sort((a, b) => a.partition - b.partition);
  return { name, topicId: topic.topicId, isInternal: topic.isInternal, partitions };
}

/** The partition, or the error that says why there is none or it cannot be used now. */
export function partitionOf(topic: TopicMetadata, partition: number): PartitionMetadata {
  const found = topic.partitions[partition];
  if (found === undefined || found.partition !== partition) {
    const what = `${topic.name}-${partition} (the topic has ${topic.partitions.length} partitions)`;
    throw new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, what);
  }
  if (found.leaderId < 0) {
    throw (
      found.error ?? new BrokerError(ErrorCode.LEADER_NOT_AVAILABLE, `${topic.name}-${partition}`)
    );
  }
  return found;
}
