import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  includeClusterAuthorizedOperations: bool,
  endpointType: f(int8, { since: 1, default: 1 }),
  includeFencedBrokers: f(bool, { since: 2 }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, default: null }),
  endpointType: f(int8, { since: 1, default: 1 }),
  clusterId: string,
  controllerId: f(int32, { default: -1 }),
  brokers: array(
    struct({
      brokerId: int32,
      host: string,
      port: int32,
      rack: f(string, { nullable: true, default: null }),
      isFenced: f(bool, { since: 2 }),
    }),
  ),
  clusterAuthorizedOperations: f(int32, { default: -0x8000_0000 }),
});

/**
 * Cluster id, controller and endpoints: of brokers, or from version 1 of controllers; version 2
 * can include fenced brokers.
 */
export const describeClusterApi = defineApi({
  key: 60,
  name: "DescribeCluster",
  versions: [0, 2],
  flexible: 0,
  request,
  response,
});

export type DescribeClusterRequest = Infer<typeof request>;
export type DescribeClusterRequestInput = InferInput<typeof request>;
export type DescribeClusterResponse = Infer<typeof response>;
export type DescribeClusterResponseInput = InferInput<typeof response>;
