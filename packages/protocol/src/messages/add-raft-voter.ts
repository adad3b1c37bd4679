import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, string, struct, uint16, uuid } from "../schema/types.ts";

const request = struct({
  clusterId: f(string, { nullable: true }),
  timeoutMs: int32,
  voterId: int32,
  voterDirectoryId: uuid,
  listeners: array(struct({ name: string, host: string, port: uint16 })),
  ackWhenCommitted: f(bool, { since: 1, default: true }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, ignorable: true }),
});

/** Adds a voter to the metadata quorum. */
export const addRaftVoterApi = defineApi({
  key: 80,
  name: "AddRaftVoter",
  versions: [0, 1],
  flexible: 0,
  request,
  response,
});

export type AddRaftVoterRequest = Infer<typeof request>;
export type AddRaftVoterRequestInput = InferInput<typeof request>;
export type AddRaftVoterResponse = Infer<typeof response>;
export type AddRaftVoterResponseInput = InferInput<typeof response>;
