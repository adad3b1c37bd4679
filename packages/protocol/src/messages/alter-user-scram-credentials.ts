import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bytes, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  deletions: array(struct({ name: string, mechanism: int8 })),
  upsertions: array(
    struct({
      name: string,
      mechanism: int8,
      iterations: int32,
      salt: bytes,
      saltedPassword: bytes,
    }),
  ),
});

const response = struct({
  throttleTimeMs: int32,
  results: array(
    struct({ user: string, errorCode: int16, errorMessage: f(string, { nullable: true }) }),
  ),
});

/** Sets and removes SCRAM credentials; the client salts the password itself. */
export const alterUserScramCredentialsApi = defineApi({
  key: 51,
  name: "AlterUserScramCredentials",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type AlterUserScramCredentialsRequest = Infer<typeof request>;
export type AlterUserScramCredentialsRequestInput = InferInput<typeof request>;
export type AlterUserScramCredentialsResponse = Infer<typeof response>;
export type AlterUserScramCredentialsResponseInput = InferInput<typeof response>;
