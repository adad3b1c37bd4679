import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { bool, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  transactionalId: string,
  producerId: int64,
  producerEpoch: int16,
  committed: bool,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  producerId: f(int64, { since: 5, default: -1, ignorable: true }),
  producerEpoch: f(int16, { since: 5, default: -1, ignorable: true }),
});

/**
 * Commits or aborts a transaction. From version 5 the producer is given a new epoch (and id,
 * where the epoch is used up) for its next one.
 */
export const endTxnApi = defineApi({
  key: 26,
  name: "EndTxn",
  versions: [0, 5],
  flexible: 3,
  request,
  response,
});

export type EndTxnRequest = Infer<typeof request>;
export type EndTxnRequestInput = InferInput<typeof request>;
export type EndTxnResponse = Infer<typeof response>;
export type EndTxnResponseInput = InferInput<typeof response>;
