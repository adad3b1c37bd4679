import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { bool, bytes, int16, int32, int8, struct, uuid } from "../schema/types.ts";

const request = struct({
  clientInstanceId: uuid,
  subscriptionId: int32,
  terminating: bool,
  compressionType: int8,
  metrics: bytes,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
});

/** Metrics of a client in OTLP form (KIP-714). */
export const pushTelemetryApi = defineApi({
  key: 72,
  name: "PushTelemetry",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type PushTelemetryRequest = Infer<typeof request>;
export type PushTelemetryRequestInput = InferInput<typeof request>;
export type PushTelemetryResponse = Infer<typeof response>;
export type PushTelemetryResponseInput = InferInput<typeof response>;
