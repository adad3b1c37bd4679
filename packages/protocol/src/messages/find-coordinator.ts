import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  key: f(string, { until: 3 }),
  keyType: f(int8, { since: 1, default: 0 }),
  coordinatorKeys: f(array(string), { since: 4 }),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 1, ignorable: true }),
  errorCode: f(int16, { until: 3 }),
  errorMessage: f(string, { since: 1, until: 3, nullable: true, ignorable: true }),
  nodeId: f(int32, { until: 3 }),
  host: f(string, { until: 3 }),
  port: f(int32, { until: 3 }),
  coordinators: f(
    array(
      struct({
        key: string,
        nodeId: int32,
        host: string,
        port: int32,
        errorCode: int16,
        errorMessage: f(string, { nullable: true, ignorable: true }),
      }),
    ),
    { since: 4 },
  ),
});

/**
 * Which broker coordinates a group (key type 0), a transactional id (1) or a share group's
 * partition (2). From version 4 many keys at once, in a list of their own.
 */
export const findCoordinatorApi = defineApi({
  key: 10,
  name: "FindCoordinator",
  versions: [0, 6],
  flexible: 3,
  request,
  response,
});

export type FindCoordinatorRequest = Infer<typeof request>;
export type FindCoordinatorRequestInput = InferInput<typeof request>;
export type FindCoordinatorResponse = Infer<typeof response>;
export type FindCoordinatorResponseInput = InferInput<typeof response>;
