import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  users: f(array(struct({ name: string })), { nullable: true }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true }),
  results: array(
    struct({
      user: string,
      errorCode: int16,
      errorMessage: f(string, { nullable: true }),
      credentialInfos: array(struct({ mechanism: int8, iterations: int32 })),
    }),
  ),
});

/**
 * Which SCRAM mechanisms and iteration counts users have; never the credentials. A null list
 * means all users.
 */
export const describeUserScramCredentialsApi = defineApi({
  key: 50,
  name: "DescribeUserScramCredentials",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type DescribeUserScramCredentialsRequest = Infer<typeof request>;
export type DescribeUserScramCredentialsRequestInput = InferInput<typeof request>;
export type DescribeUserScramCredentialsResponse = Infer<typeof response>;
export type DescribeUserScramCredentialsResponseInput = InferInput<typeof response>;
