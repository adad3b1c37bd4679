import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  timeoutMs: f(int32, { default: 60000 }),
  allowReplicationFactorChange: f(bool, { since: 1, default: true }),
  topics: array(
    struct({
      name: string,
      partitions: array(
        struct({
          partitionIndex: int32,
          replicas: f(array(int32), { nullable: true, default: null }),
        }),
      ),
    }),
  ),
});

const response = struct({
  throttleTimeMs: int32,
  allowReplicationFactorChange: f(bool, { since: 1, default: true, ignorable: true }),
  errorCode: int16,
  errorMessage: f(string, { nullable: true }),
  responses: array(
    struct({
      name: string,
      partitions: array(
        struct({
          partitionIndex: int32,
          errorCode: int16,
          errorMessage: f(string, { nullable: true }),
        }),
      ),
    }),
  ),
});

/** Moves partitions to other replicas; a null list of replicas cancels a move. */
export const alterPartitionReassignmentsApi = defineApi({
  key: 45,
  name: "AlterPartitionReassignments",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type AlterPartitionReassignmentsRequest = Infer<typeof request>;
export type AlterPartitionReassignmentsRequestInput = InferInput<typeof request>;
export type AlterPartitionReassignmentsResponse = Infer<typeof response>;
export type AlterPartitionReassignmentsResponseInput = InferInput<typeof response>;
