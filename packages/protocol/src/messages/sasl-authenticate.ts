import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { bytes, f, int16, int64, string, struct } from "../schema/types.ts";

const request = struct({
  authBytes: bytes,
});

const response = struct({
  errorCode: int16,
  errorMessage: f(string, { nullable: true }),
  authBytes: bytes,
  sessionLifetimeMs: f(int64, { since: 1, default: 0, ignorable: true }),
});

/** One step of a SASL exchange; the last answer carries how long the session may live. */
export const saslAuthenticateApi = defineApi({
  key: 36,
  name: "SaslAuthenticate",
  versions: [0, 2],
  flexible: 2,
  request,
  response,
});

export type SaslAuthenticateRequest = Infer<typeof request>;
export type SaslAuthenticateRequestInput = InferInput<typeof request>;
export type SaslAuthenticateResponse = Infer<typeof response>;
export type SaslAuthenticateResponseInput = InferInput<typeof response>;
