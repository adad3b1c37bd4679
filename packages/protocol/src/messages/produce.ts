import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int64, records, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  transactionalId: f(string, { nullable: true, default: null }),
  acks: int16,
  timeoutMs: int32,
  topicData: array(
    struct({
      name: f(string, { until: 12, ignorable: true }),
      topicId: f(uuid, { since: 13, ignorable: true }),
      partitionData: array(struct({ index: int32, records: f(records, { nullable: true }) })),
    }),
  ),
});

const response = struct({
  responses: array(
    struct({
      name: f(string, { until: 12, ignorable: true }),
      topicId: f(uuid, { since: 13, ignorable: true }),
      partitionResponses: array(
        struct({
          index: int32,
          errorCode: int16,
          baseOffset: int64,
          logAppendTimeMs: f(int64, { default: -1, ignorable: true }),
          logStartOffset: f(int64, { since: 5, default: -1, ignorable: true }),
          recordErrors: f(
            array(
              struct({
                batchIndex: int32,
                batchIndexErrorMessage: f(string, { nullable: true, default: null }),
              }),
            ),
            { since: 8, ignorable: true },
          ),
          errorMessage: f(string, { since: 8, nullable: true, default: null, ignorable: true }),
          currentLeader: f(
            struct({ leaderId: f(int32, { default: -1 }), leaderEpoch: f(int32, { default: -1 }) }),
            { since: 10, tag: 0 },
          ),
        }),
      ),
    }),
  ),
  throttleTimeMs: f(int32, { default: 0, ignorable: true }),
  nodeEndpoints: f(
    array(
      struct({
        nodeId: int32,
        host: string,
        port: int32,
        rack: f(string, { nullable: true, default: null }),
      }),
    ),
    { since: 10, tag: 0 },
  ),
});

/**
 * Appends record batches to partitions; with acks=0 there is no response. Version 7 allows zstd,
 * 8 reports single records, 9 is flexible, 10 names the new leader in tagged fields, 13 knows
 * topics by id only.
 */
export const produceApi = defineApi({
  key: 0,
  name: "Produce",
  versions: [3, 13],
  flexible: 9,
  request,
  response,
});

export type ProduceRequest = Infer<typeof request>;
export type ProduceRequestInput = InferInput<typeof request>;
export type ProduceResponse = Infer<typeof response>;
export type ProduceResponseInput = InferInput<typeof response>;
