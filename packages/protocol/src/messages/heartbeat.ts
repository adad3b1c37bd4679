import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  groupId: string,
  generationId: int32,
  memberId: string,
  groupInstanceId: f(string, { since: 3, nullable: true, default: null }),
});

const response = struct({
  throttleTimeMs: f(int32, { since: 1, ignorable: true }),
  errorCode: int16,
});

/** Keeps a member of a classic group alive and tells it of a rebalance by an error code. */
export const heartbeatApi = defineApi({
  key: 12,
  name: "Heartbeat",
  versions: [0, 4],
  flexible: 4,
  request,
  response,
});

export type HeartbeatRequest = Infer<typeof request>;
export type HeartbeatRequestInput = InferInput<typeof request>;
export type HeartbeatResponse = Infer<typeof response>;
export type HeartbeatResponseInput = InferInput<typeof response>;
