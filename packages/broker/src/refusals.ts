import { ZERO_UUID } from "@mantou/base";
import type {
  AlterConfigsRequest,
  AlterConfigsResponse,
  CreatePartitionsRequest,
  CreatePartitionsResponse,
  CreateTopicsRequest,
  CreateTopicsResponse,
  DeleteRecordsRequest,
  DeleteRecordsResponse,
  DeleteTopicsRequest,
  DeleteTopicsResponse,
  DescribeConfigsRequest,
  DescribeConfigsResponse,
  DescribeProducersRequest,
  DescribeProducersResponse,
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
  ListOffsetsRequest,
  ListOffsetsResponse,
  MetadataRequest,
  MetadataResponse,
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
  ProduceRequest,
  ProduceResponse,
} from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";

/**
 * The answer of each API when its handler could not answer: one code in the API's own form, for
 * every item that was asked for, so that no client waits for one.
 */
export interface Failure {
  readonly errorCode: ErrorCode;
  readonly errorMessage: string;
}

/** As `Failure`, where there may be nothing to say beside the code. */
export interface Refused {
  readonly errorCode: ErrorCode;
  readonly errorMessage?: string | null;
}

/** A defect in a handler; the reason stands in the broker's log. */
export const UNEXPECTED: Failure = {
  errorCode: ErrorCode.UNKNOWN_SERVER_ERROR,
  errorMessage: "the broker failed on this request; its log has the reason",
};

export const refuseProduce = (
  request: ProduceRequest,
  { errorCode, errorMessage }: Failure,
): ProduceResponse => ({
  responses: request.topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => ({
      index,
      errorCode,
      baseOffset: -1,
      logAppendTimeMs: -1,
      logStartOffset: -1,
      recordErrors: [],
      errorMessage,
      currentLeader: { leaderId: -1, leaderEpoch: -1 },
    })),
  })),
  throttleTimeMs: 0,
  nodeEndpoints: [],
});

export const refuseListOffsets = (
  request: ListOffsetsRequest,
  { errorCode }: Failure,
): ListOffsetsResponse => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode,
      timestamp: -1,
      offset: -1,
      leaderEpoch: -1,
    })),
  })),
});

export const refuseOffsetForLeaderEpoch = (
  request: OffsetForLeaderEpochRequest,
  { errorCode }: Failure,
): OffsetForLeaderEpochResponse => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) => ({
      errorCode,
      partition,
      leaderEpoch: -1,
      endOffset: -1,
    })),
  })),
});

/** Metadata has a top-level code from v13 on only; named topics carry it in all versions. */
export const refuseMetadata = (
  request: MetadataRequest,
  { errorCode }: Failure,
): MetadataResponse => ({
  throttleTimeMs: 0,
  brokers: [],
  clusterId: null,
  controllerId: -1,
  topics: (request.topics ?? []).map(({ name, topicId }) => ({
    errorCode,
    name: name ?? "",
    topicId,
    isInternal: false,
    partitions: [],
    topicAuthorizedOperations: -2147483648,
  })),
  clusterAuthorizedOperations: -2147483648,
  errorCode,
});

export const refuseCreateTopics = (
  request: CreateTopicsRequest,
  { errorCode, errorMessage }: Failure,
): CreateTopicsResponse => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name }) => ({
    name,
    topicId: ZERO_UUID,
    errorCode,
    errorMessage,
    topicConfigErrorCode: 0,
    numPartitions: -1,
    replicationFactor: -1,
    configs: null,
  })),
});

export const refuseDeleteTopics = (
  request: DeleteTopicsRequest,
  { errorCode, errorMessage }: Failure,
  version: number,
): DeleteTopicsResponse => ({
  throttleTimeMs: 0,
  responses:
    version >= 6
      ? request.topics.map(({ name, topicId }) => ({ name, topicId, errorCode, errorMessage }))
      : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID, errorCode, errorMessage })),
});

export const refuseCreatePartitions = (
  request: CreatePartitionsRequest,
  { errorCode, errorMessage }: Failure,
): CreatePartitionsResponse => ({
  throttleTimeMs: 0,
  results: request.topics.map(({ name }) => ({ name, errorCode, errorMessage })),
});

export const refuseDeleteRecords = (
  request: DeleteRecordsRequest,
  { errorCode }: Failure,
): DeleteRecordsResponse => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      lowWatermark: -1,
      errorCode,
    })),
  })),
});

export const refuseDescribeConfigs = (
  request: DescribeConfigsRequest,
  { errorCode, errorMessage }: Failure,
): DescribeConfigsResponse => ({
  throttleTimeMs: 0,
  results: request.resources.map(({ resourceType, resourceName }) => ({
    errorCode,
    errorMessage,
    resourceType,
    resourceName,
    configs: [],
  })),
});

/** Serves AlterConfigs and IncrementalAlterConfigs: their answers have one shape. */
export const refuseAlterConfigs = (
  request: Pick<AlterConfigsRequest, "resources">,
  { errorCode, errorMessage }: Failure,
): AlterConfigsResponse => ({
  throttleTimeMs: 0,
  responses: request.resources.map(({ resourceType, resourceName }) => ({
    errorCode,
    errorMessage,
    resourceType,
    resourceName,
  })),
});

export const refuseDescribeTopicPartitions = (
  request: DescribeTopicPartitionsRequest,
  { errorCode }: Failure,
): DescribeTopicPartitionsResponse => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name }) => ({
    errorCode,
    name,
    topicId: ZERO_UUID,
    isInternal: false,
    partitions: [],
    topicAuthorizedOperations: -2147483648,
  })),
  nextCursor: null,
});

export const refuseDescribeProducers = (
  request: DescribeProducersRequest,
  { errorCode, errorMessage }: Failure,
): DescribeProducersResponse => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      errorCode,
      errorMessage,
      activeProducers: [],
    })),
  })),
});
