import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  transactionalId: string,
  producerId: int64,
  producerEpoch: int16,
  groupId: string,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
});

/** Adds a group's offsets to a transaction, before TxnOffsetCommit writes them. */
export const addOffsetsToTxnApi = defineApi({
  key: 25,
  name: "AddOffsetsToTxn",
  versions: [0, 4],
  flexible: 3,
  request,
  response,
});

export type AddOffsetsToTxnRequest = Infer<typeof request>;
export type AddOffsetsToTxnRequestInput = InferInput<typeof request>;
export type AddOffsetsToTxnResponse = Infer<typeof response>;
export type AddOffsetsToTxnResponseInput = InferInput<typeof response>;
