import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, int16, string, struct } from "../schema/types.ts";

const request = struct({
  mechanism: string,
});

const response = struct({
  errorCode: int16,
  mechanisms: array(string),
});

/**
 * Names the SASL mechanism. At version 0 raw tokens follow without frames of the protocol, at
 * version 1 SaslAuthenticate requests. There can never be a version 2: old clients would misread
 * it.
 */
export const saslHandshakeApi = defineApi({
  key: 17,
  name: "SaslHandshake",
  versions: [0, 1],
  request,
  response,
});

export type SaslHandshakeRequest = Infer<typeof request>;
export type SaslHandshakeRequestInput = InferInput<typeof request>;
export type SaslHandshakeResponse = Infer<typeof response>;
export type SaslHandshakeResponseInput = InferInput<typeof response>;
