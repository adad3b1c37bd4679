import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  electionType: f(int8, { since: 1 }),
  topicPartitions: f(array(struct({ topic: string, partitions: array(int32) })), {
    nullable: true,
  }),
  timeoutMs: f(int32, { default: 60000 }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: f(int16, { since: 1 }),
  replicaElectionResults: array(
    struct({
      topic: string,
      partitionResult: array(
        struct({
          partitionId: int32,
          errorCode: int16,
          errorMessage: f(string, { nullable: true }),
        }),
      ),
    }),
  ),
});

/**
 * Elects the preferred leader, or any replica where none in sync is left (unclean). A null list
 * means all partitions.
 */
export const electLeadersApi = defineApi({
  key: 43,
  name: "ElectLeaders",
  versions: [0, 2],
  flexible: 2,
  request,
  response,
});

export type ElectLeadersRequest = Infer<typeof request>;
export type ElectLeadersRequestInput = InferInput<typeof request>;
export type ElectLeadersResponse = Infer<typeof response>;
export type ElectLeadersResponseInput = InferInput<typeof response>;
