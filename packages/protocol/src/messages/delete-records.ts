import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  topics: array(
    struct({ name: string, partitions: array(struct({ partitionIndex: int32, offset: int64 })) }),
  ),
  timeoutMs: int32,
});

const response = struct({
  throttleTimeMs: int32,
  topics: array(
    struct({
      name: string,
      partitions: array(struct({ partitionIndex: int32, lowWatermark: int64, errorCode: int16 })),
    }),
  ),
});

/** Moves the start of partitions up to an offset; -1 stands for the high watermark. */
export const deleteRecordsApi = defineApi({
  key: 21,
  name: "DeleteRecords",
  versions: [0, 2],
  flexible: 2,
  request,
  response,
});

export type DeleteRecordsRequest = Infer<typeof request>;
export type DeleteRecordsRequestInput = InferInput<typeof request>;
export type DeleteRecordsResponse = Infer<typeof response>;
export type DeleteRecordsResponseInput = InferInput<typeof response>;
