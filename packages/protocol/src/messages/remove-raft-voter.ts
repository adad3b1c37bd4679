import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { f, int16, int32, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  clusterId: f(string, { nullable: true }),
  voterId: int32,
  voterDirectoryId: uuid,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, ignorable: true }),
});

/** Removes a voter from the metadata quorum. */
export const removeRaftVoterApi = defineApi({
  key: 81,
  name: "RemoveRaftVoter",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type RemoveRaftVoterRequest = Infer<typeof request>;
export type RemoveRaftVoterRequestInput = InferInput<typeof request>;
export type RemoveRaftVoterResponse = Infer<typeof response>;
export type RemoveRaftVoterResponseInput = InferInput<typeof response>;
