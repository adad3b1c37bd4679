import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  groupId: string,
  topics: array(struct({ name: string, partitions: array(struct({ partitionIndex: int32 })) })),
});

const response = struct({
  errorCode: int16,
  throttleTimeMs: f(int32, { ignorable: true }),
  topics: array(
    struct({
      name: string,
      partitions: array(struct({ partitionIndex: int32, errorCode: int16 })),
    }),
  ),
});

/** Forgets a group's positions for topics that it is not subscribed to. Never flexible. */
export const offsetDeleteApi = defineApi({
  key: 47,
  name: "OffsetDelete",
  versions: [0, 0],
  request,
  response,
});

export type OffsetDeleteRequest = Infer<typeof request>;
export type OffsetDeleteRequestInput = InferInput<typeof request>;
export type OffsetDeleteResponse = Infer<typeof response>;
export type OffsetDeleteResponseInput = InferInput<typeof response>;
