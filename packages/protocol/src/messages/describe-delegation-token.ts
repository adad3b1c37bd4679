import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bytes, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  owners: f(array(struct({ principalType: string, principalName: string })), { nullable: true }),
});

const response = struct({
  errorCode: int16,
  tokens: array(
    struct({
      principalType: string,
      principalName: string,
      tokenRequesterPrincipalType: f(string, { since: 3 }),
      tokenRequesterPrincipalName: f(string, { since: 3 }),
      issueTimestamp: int64,
      expiryTimestamp: int64,
      maxTimestamp: int64,
      tokenId: string,
      hmac: bytes,
      renewers: array(struct({ principalType: string, principalName: string })),
    }),
  ),
  throttleTimeMs: int32,
});

/** Delegation tokens of the given owners; a null list means all that may be seen. */
export const describeDelegationTokenApi = defineApi({
  key: 41,
  name: "DescribeDelegationToken",
  versions: [1, 3],
  flexible: 2,
  request,
  response,
});

export type DescribeDelegationTokenRequest = Infer<typeof request>;
export type DescribeDelegationTokenRequestInput = InferInput<typeof request>;
export type DescribeDelegationTokenResponse = Infer<typeof response>;
export type DescribeDelegationTokenResponseInput = InferInput<typeof response>;
