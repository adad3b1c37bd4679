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
 * The answer of each API when its handler failed: UNKNOWN_SERVER_ERROR in the API's own form,
 * for every item that was asked for, so that no client waits for one.
 */
const errorCode = ErrorCode.UNKNOWN_SERVER_ERROR;
const errorMessage = "the broker failed on this request; its log has the reason";

export const refuseProduce = (request: ProduceRequest): ProduceResponse => ({
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

export const refuseListOffsets = (request: ListOffsetsRequest): ListOffsetsResponse => ({
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
export const refuseMetadata = (request: MetadataRequest): MetadataResponse => ({
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

export const refuseCreateTopics = (request: CreateTopicsRequest): CreateTopicsResponse => ({
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
): CreatePartitionsResponse => ({
  throttleTimeMs: 0,
  results: request.topics.map(({ name }) => ({ name, errorCode, errorMessage })),
});

export const refuseDeleteRecords = (request: DeleteRecordsRequest): DeleteRecordsResponse => ({
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
