import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  timeoutMs: f(int32, { default: 60000 }),
  topics: f(array(struct({ name: string, partitionIndexes: array(int32) })), {
    nullable: true,
    default: null,
  }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true }),
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({
          partitionIndex: int32,
          replicas: array(int32),
          addingReplicas: array(int32),
          removingReplicas: array(int32),
        }),
      ),
    }),
  ),
});

/** Moves of partitions that are under way; a null list of topics means all. */
export const listPartitionReassignmentsApi = defineApi({
  key: 46,
  name: "ListPartitionReassignments",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type ListPartitionReassignmentsRequest = Infer<typeof request>;
export type ListPartitionReassignmentsRequestInput = InferInput<typeof request>;
export type ListPartitionReassignmentsResponse = Infer<typeof response>;
export type ListPartitionReassignmentsResponseInput = InferInput<typeof response>;
