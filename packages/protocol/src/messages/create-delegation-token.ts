import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bytes, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  ownerPrincipalType: f(string, { since: 3, nullable: true }),
  ownerPrincipalName: f(string, { since: 3, nullable: true }),
  renewers: array(struct({ principalType: string, principalName: string })),
  maxLifetimeMs: int64,
});

const response = struct({
  errorCode: int16,
  principalType: string,
  principalName: string,
  tokenRequesterPrincipalType: f(string, { since: 3 }),
  tokenRequesterPrincipalName: f(string, { since: 3 }),
  issueTimestampMs: int64,
  expiryTimestampMs: int64,
  maxTimestampMs: int64,
  tokenId: string,
  hmac: bytes,
  throttleTimeMs: int32,
});

/** Issues a token by which others may act as its owner. */
export const createDelegationTokenApi = defineApi({
  key: 38,
  name: "CreateDelegationToken",
  versions: [1, 3],
  flexible: 2,
  request,
  response,
});

export type CreateDelegationTokenRequest = Infer<typeof request>;
export type CreateDelegationTokenRequestInput = InferInput<typeof request>;
export type CreateDelegationTokenResponse = Infer<typeof response>;
export type CreateDelegationTokenResponseInput = InferInput<typeof response>;
