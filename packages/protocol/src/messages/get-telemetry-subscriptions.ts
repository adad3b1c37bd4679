import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, int16, int32, int8, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  clientInstanceId: uuid,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  clientInstanceId: uuid,
  subscriptionId: int32,
  acceptedCompressionTypes: array(int8),
  pushIntervalMs: int32,
  telemetryMaxBytes: int32,
  deltaTemporality: bool,
  requestedMetrics: array(string),
});

/** Which metrics the broker wants to be pushed by a client, and how often (KIP-714). */
export const getTelemetrySubscriptionsApi = defineApi({
  key: 71,
  name: "GetTelemetrySubscriptions",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type GetTelemetrySubscriptionsRequest = Infer<typeof request>;
export type GetTelemetrySubscriptionsRequestInput = InferInput<typeof request>;
export type GetTelemetrySubscriptionsResponse = Infer<typeof response>;
export type GetTelemetrySubscriptionsResponseInput = InferInput<typeof response>;
