import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { bytes, int16, int32, int64, struct } from "../schema/types.ts";

const request = struct({
  hmac: bytes,
  expiryTimePeriodMs: int64,
});

const response = struct({
  errorCode: int16,
  expiryTimestampMs: int64,
  throttleTimeMs: int32,
});

/** Sets when a delegation token ends; a negative period ends it at once. */
export const expireDelegationTokenApi = defineApi({
  key: 40,
  name: "ExpireDelegationToken",
  versions: [1, 2],
  flexible: 2,
  request,
  response,
});

export type ExpireDelegationTokenRequest = Infer<typeof request>;
export type ExpireDelegationTokenRequestInput = InferInput<typeof request>;
export type ExpireDelegationTokenResponse = Infer<typeof response>;
export type ExpireDelegationTokenResponseInput = InferInput<typeof response>;
