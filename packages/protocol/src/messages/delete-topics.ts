import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct, uuid } from "../schema/types.ts";

const request = struct({
  topics: f(array(struct({ name: f(string, { nullable: true, default: null }), topicId: uuid })), {
    since: 6,
  }),
  topicNames: f(array(string), { until: 5, ignorable: true }),
  timeoutMs: int32,
});

const response = struct({
  throttleTimeMs: f(int32, { ignorable: true }),
  responses: array(
    struct({
      name: f(string, { nullable: 6 }),
      topicId: f(uuid, { since: 6, ignorable: true }),
      errorCode: int16,
      errorMessage: f(string, { since: 5, nullable: true, default: null, ignorable: true }),
    }),
  ),
});

/** Deletes topics: by name up to version 5, from 6 by name or by id. */
export const deleteTopicsApi = defineApi({
  key: 20,
  name: "DeleteTopics",
  versions: [1, 6],
  flexible: 4,
  request,
  response,
});

export type DeleteTopicsRequest = Infer<typeof request>;
export type DeleteTopicsRequestInput = InferInput<typeof request>;
export type DeleteTopicsResponse = Infer<typeof response>;
export type DeleteTopicsResponseInput = InferInput<typeof response>;
