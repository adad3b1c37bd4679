import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const addPartitionsToTxnTopic = struct({ name: string, partitions: array(int32) });

const addPartitionsToTxnPartitionResult = struct({
  partitionIndex: int32,
  partitionErrorCode: int16,
});

const addPartitionsToTxnTopicResult = struct({
  name: string,
  resultsByPartition: array(addPartitionsToTxnPartitionResult),
});

const request = struct({
  transactions: f(
    array(
      struct({
        transactionalId: string,
        producerId: int64,
        producerEpoch: int16,
        verifyOnly: f(bool, { default: false }),
        topics: array(addPartitionsToTxnTopic),
      }),
    ),
    { since: 4 },
  ),
  v3AndBelowTransactionalId: f(string, { until: 3 }),
  v3AndBelowProducerId: f(int64, { until: 3 }),
  v3AndBelowProducerEpoch: f(int16, { until: 3 }),
  v3AndBelowTopics: f(array(addPartitionsToTxnTopic), { until: 3 }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: f(int16, { since: 4, ignorable: true }),
  resultsByTransaction: f(
    array(struct({ transactionalId: string, topicResults: array(addPartitionsToTxnTopicResult) })),
    { since: 4 },
  ),
  resultsByTopicV3AndBelow: f(array(addPartitionsToTxnTopicResult), { until: 3 }),
});

/**
 * Adds partitions to a transaction. Clients use versions up to 3 for one transaction; brokers
 * use 4 and up for many, also to only verify that a partition is part of one.
 */
export const addPartitionsToTxnApi = defineApi({
  key: 24,
  name: "AddPartitionsToTxn",
  versions: [0, 5],
  flexible: 3,
  request,
  response,
});

export type AddPartitionsToTxnRequest = Infer<typeof request>;
export type AddPartitionsToTxnRequestInput = InferInput<typeof request>;
export type AddPartitionsToTxnResponse = Infer<typeof response>;
export type AddPartitionsToTxnResponseInput = InferInput<typeof response>;
