import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { bool, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  transactionalId: f(string, { nullable: true }),
  transactionTimeoutMs: int32,
  producerId: f(int64, { since: 3, default: -1 }),
  producerEpoch: f(int16, { since: 3, default: -1 }),
  enable2Pc: f(bool, { since: 6, default: false }),
  keepPreparedTxn: f(bool, { since: 6, default: false }),
});

const response = struct({
  throttleTimeMs: f(int32, { ignorable: true }),
  errorCode: int16,
  producerId: f(int64, { default: -1 }),
  producerEpoch: int16,
  ongoingTxnProducerId: f(int64, { since: 6, default: -1 }),
  ongoingTxnProducerEpoch: f(int16, { since: 6, default: -1 }),
});

/**
 * Gives a producer its id and epoch, and fences earlier holders of a transactional id. From
 * version 3 a producer may bring its own id and epoch to have the epoch raised; 6 is for
 * two-phase commit and not settled.
 */
export const initProducerIdApi = defineApi({
  key: 22,
  name: "InitProducerId",
  versions: [0, 6],
  flexible: 2,
  latestVersionUnstable: true,
  request,
  response,
});

export type InitProducerIdRequest = Infer<typeof request>;
export type InitProducerIdRequestInput = InferInput<typeof request>;
export type InitProducerIdResponse = Infer<typeof response>;
export type InitProducerIdResponseInput = InferInput<typeof response>;
