import { type Uuid, ZERO_UUID } from "@mantou/base";
import {
  createPartitionsApi,
  createTopicsApi,
  deleteRecordsApi,
  deleteTopicsApi,
  describeClusterApi,
  describeLogDirsApi,
  type DescribeLogDirsResponse,
  ErrorCode,
} from "@mantou/protocol";
import { AdminConfigs } from "./admin-configs.ts";
import { BrokerError, brokerError, throwIfError } from "./errors.ts";
import type { BrokerNode, ClusterMetadata, TopicMetadata } from "./metadata.ts";
import { type ListedOffset, listOffset, type OffsetSpec, type Isolation } from "./list-offsets.ts";

export interface NewTopic {
  readonly name: string;
  /** -1 (the broker's default) when absent. */
  readonly partitions?: number;
  /** -1 (the broker's default) when absent. */
  readonly replicationFactor?: number;
  /** Broker ids for each partition, in place of the two counts. */
  readonly assignments?: readonly (readonly number[])[];
  readonly configs?: Readonly<Record<string, string | null>>;
}

export interface CreatedTopic {
  readonly name: string;
  readonly topicId: Uuid;
  /** -1 where the broker does not tell. */
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly error: BrokerError | null;
}

export interface AdminOptions {
  /** How long the broker may take, in milliseconds; 30,000 when absent. */
  readonly timeoutMs?: number;
  /** Check only. */
  readonly validateOnly?: boolean;
}

export interface ClusterDescription {
  readonly clusterId: string;
  readonly controllerId: number;
  readonly brokers: readonly BrokerNode[];
}

export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

const TIMEOUT_MS = 30_000;

/** The calls of an administrator. */
export class Admin extends AdminConfigs {
  async describeCluster(): Promise<ClusterDescription> {
    const { cluster } = this;
    const request = { includeClusterAuthorizedOperations: false };
    const answer = await cluster.call(await cluster.any(), describeClusterApi, request);
    throwIfError(answer.errorCode, "DescribeCluster", answer.errorMessage);
    const brokers = answer.brokers.map(({ brokerId, host, port, rack }) => ({
      id: brokerId,
      host,
      port,
      rack,
    }));
    return { clusterId: answer.clusterId, controllerId: answer.controllerId, brokers };
  }

  /** Metadata of the named topics, or of all (null), as the cluster tells it now. */
  metadata(topics: readonly string[] | null = null): Promise<ClusterMetadata> {
    return this.cluster.metadata(topics, false);
  }

  async listTopics(): Promise<readonly TopicMetadata[]> {
    return (await this.metadata(null)).topics;
  }

  /** Throws BrokerError where there is no such topic. */
  async describeTopic(name: string): Promise<TopicMetadata> {
    const metadata = await this.metadata([name]);
    const [topic] = metadata.topics;
    if (topic !== undefined) return topic;
    const unknown = new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `topic ${name}`);
    throw metadata.failed.get(name) ?? unknown;
  }

  /** Creates topics; each result holds its own error. */
  async createTopics(
    topics: readonly NewTopic[],
    options: AdminOptions = {},
  ): Promise<CreatedTopic[]> {
    const { timeoutMs = TIMEOUT_MS, validateOnly = false } = options;
    const request = { topics: topics.map(newTopicRequest), timeoutMs, validateOnly };
    const answer = await this.cluster.onController(async (connection) => {
      const response = await this.cluster.call(connection, createTopicsApi, request);
      throwIfNotController(response.topics, "CreateTopics");
      return response;
    });
    for (const { name } of topics) this.cluster.forget(name);
    return answer.topics.map((topic) => ({
      name: topic.name,
      topicId: topic.topicId,
      partitions: topic.numPartitions,
      replicationFactor: topic.replicationFactor,
      error: brokerError(topic.errorCode, `create topic ${topic.name}`, topic.errorMessage),
    }));
  }

  /** Creates one topic. Throws BrokerError. */
  async createTopic(topic: NewTopic, options: AdminOptions = {}): Promise<CreatedTopic> {
    return only(await this.createTopics([topic], options));
  }

  /** Deletes topics by name; each result holds its own error. */
  async deleteTopics(
    names: readonly string[],
    options: AdminOptions = {},
  ): Promise<{ readonly name: string; readonly error: BrokerError | null }[]> {
    const { timeoutMs = TIMEOUT_MS } = options;
    const answer = await this.cluster.onController(async (connection) => {
      const byId = connection.versions.pick(deleteTopicsApi) >= 6;
      const request = byId
        ? { topics: names.map((name) => ({ name, topicId: ZERO_UUID })), timeoutMs }
        : { topicNames: names, timeoutMs };
      const response = await this.cluster.call(connection, deleteTopicsApi, request);
      throwIfNotController(response.responses, "DeleteTopics");
      return response;
    });
    for (const name of names) this.cluster.forget(name);
    return answer.responses.map(({ name, errorCode, errorMessage }) => ({
      name: name ?? "",
      error: brokerError(errorCode, `delete topic ${name}`, errorMessage),
    }));
  }

  /** Deletes one topic. Throws BrokerError. */
  async deleteTopic(name: string, options: AdminOptions = {}): Promise<void> {
    only(await this.deleteTopics([name], options));
  }

  /** Raises the number of a topic's partitions to `count`. Throws BrokerError. */
  async createPartitions(topic: string, count: number, options: AdminOptions = {}): Promise<void> {
    const { timeoutMs = TIMEOUT_MS, validateOnly = false } = options;
    const topics = [{ name: topic, count, assignments: null }];
    const answer = await this.cluster.onController(async (connection) => {
      const request = { topics, timeoutMs, validateOnly };
      const response = await this.cluster.call(connection, createPartitionsApi, request);
      throwIfNotController(response.results, "CreatePartitions");
      return response;
    });
    this.cluster.forget(topic);
    for (const { name, errorCode, errorMessage } of answer.results) {
      throwIfError(errorCode, `create partitions of ${name}`, errorMessage);
    }
  }

  /** Moves the start of a partition up; -1 means its end. Gives the new start. */
  deleteRecords({ topic, partition, offset }: PartitionOffset): Promise<number> {
    return this.cluster.onLeader(topic, partition, async ({ connection }) => {
      const partitions = [{ partitionIndex: partition, offset }];
      const request = { topics: [{ name: topic, partitions }], timeoutMs: TIMEOUT_MS };
      const answer = await this.cluster.call(connection, deleteRecordsApi, request);
      const result = answer.topics[0]?.partitions[0];
      throwIfError(result?.errorCode ?? -1, `delete records of ${topic}-${partition}`);
      return result?.lowWatermark ?? -1;
    });
  }

  /** The offset that belongs to a position or timestamp; -1 where there is none. */
  listOffset(
    topic: string,
    partition: number,
    at: OffsetSpec,
    isolation: Isolation = "read_uncommitted",
  ): Promise<ListedOffset> {
    return listOffset(this.cluster, topic, partition, at, isolation);
  }

  /** Log directories of one broker and what lies in them. */
  async describeLogDirs(brokerId: number): Promise<DescribeLogDirsResponse["results"]> {
    const connection = await this.cluster.broker(brokerId);
    const answer = await this.cluster.call(connection, describeLogDirsApi, { topics: null });
    throwIfError(answer.errorCode, "DescribeLogDirs");
    return answer.results;
  }
}

function newTopicRequest(topic: NewTopic) {
  const { name, assignments = [], configs = {} } = topic;
  const byCount = assignments.length === 0;
  return {
    name,
    numPartitions: byCount ? (topic.partitions ?? -1) : -1,
    replicationFactor: byCount ? (topic.replicationFactor ?? -1) : -1,
    assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  };
}

/** NOT_CONTROLLER concerns the whole call: trying again at the right broker is what helps. */
function throwIfNotController(results: readonly { errorCode: number }[], what: string): void {
  const code = ErrorCode.NOT_CONTROLLER;
  if (results.some(({ errorCode }) => errorCode === code)) throw new BrokerError(code, what);
}

function only<T extends { readonly error: BrokerError | null }>(results: readonly T[]): T {
  const [result] = results as readonly [T];
  if (result.error !== null) throw result.error;
  return result;
}
