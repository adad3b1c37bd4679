import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  topics: array(
    struct({
      name: string,
      count: int32,
      assignments: f(array(struct({ brokerIds: array(int32) })), { nullable: true }),
    }),
  ),
  timeoutMs: int32,
  validateOnly: bool,
});

const response = struct({
  throttleTimeMs: int32,
  results: array(
    struct({
      name: string,
      errorCode: int16,
      errorMessage: f(string, { nullable: true, default: null }),
    }),
  ),
});

/** Raises the number of partitions of topics, with assignments if wanted. */
export const createPartitionsApi = defineApi({
  key: 37,
  name: "CreatePartitions",
  versions: [0, 3],
  flexible: 2,
  request,
  response,
});

export type CreatePartitionsRequest = Infer<typeof request>;
export type CreatePartitionsRequestInput = InferInput<typeof request>;
export type CreatePartitionsResponse = Infer<typeof response>;
export type CreatePartitionsResponseInput = InferInput<typeof response>;
