import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int8, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  topics: array(
    struct({
      name: string,
      numPartitions: int32,
      replicationFactor: int16,
      assignments: array(struct({ partitionIndex: int32, brokerIds: array(int32) })),
      configs: array(struct({ name: string, value: f(string, { nullable: true }) })),
    }),
  ),
  timeoutMs: f(int32, { default: 60000 }),
  validateOnly: f(bool, { default: false }),
});

const response = struct({
  throttleTimeMs: f(int32, { ignorable: true }),
  topics: array(
    struct({
      name: string,
      topicId: f(uuid, { since: 7, ignorable: true }),
      errorCode: int16,
      errorMessage: f(string, { nullable: true, ignorable: true }),
      topicConfigErrorCode: f(int16, { since: 5, tag: 0, ignorable: true }),
      numPartitions: f(int32, { since: 5, default: -1, ignorable: true }),
      replicationFactor: f(int16, { since: 5, default: -1, ignorable: true }),
      configs: f(
        array(
          struct({
            name: string,
            value: f(string, { nullable: true }),
            readOnly: bool,
            configSource: f(int8, { default: -1, ignorable: true }),
            isSensitive: bool,
          }),
        ),
        { since: 5, nullable: true, ignorable: true },
      ),
    }),
  ),
});

/**
 * Creates topics, or with validateOnly tells whether it could. From version 4 partitions and
 * replication factor may be -1 (the broker's default); 5 answers with the configs in force, 7
 * with the topic's id.
 */
export const createTopicsApi = defineApi({
  key: 19,
  name: "CreateTopics",
  versions: [2, 7],
  flexible: 5,
  request,
  response,
});

export type CreateTopicsRequest = Infer<typeof request>;
export type CreateTopicsRequestInput = InferInput<typeof request>;
export type CreateTopicsResponse = Infer<typeof response>;
export type CreateTopicsResponseInput = InferInput<typeof response>;
