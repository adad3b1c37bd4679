import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { bytes, int16, int32, int64, struct } from "../schema/types.ts";

const request = struct({
  hmac: bytes,
  renewPeriodMs: int64,
});

const response = struct({
  errorCode: int16,
  expiryTimestampMs: int64,
  throttleTimeMs: int32,
});

/** Extends a delegation token up to its maximum life. */
export const renewDelegationTokenApi = defineApi({
  key: 39,
  name: "RenewDelegationToken",
  versions: [1, 2],
  flexible: 2,
  request,
  response,
});

export type RenewDelegationTokenRequest = Infer<typeof request>;
export type RenewDelegationTokenRequestInput = InferInput<typeof request>;
export type RenewDelegationTokenResponse = Infer<typeof response>;
export type RenewDelegationTokenResponseInput = InferInput<typeof response>;
