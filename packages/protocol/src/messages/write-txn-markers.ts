import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int64, int8, string, struct } from "../schema/types.ts";

const request = struct({
  markers: array(
    struct({
      producerId: int64,
      producerEpoch: int16,
      transactionResult: bool,
      topics: array(struct({ name: string, partitionIndexes: array(int32) })),
      coordinatorEpoch: int32,
      transactionVersion: f(int8, { since: 2, default: 0, ignorable: true }),
    }),
  ),
});

const response = struct({
  markers: array(
    struct({
      producerId: int64,
      topics: array(
        struct({
          name: string,
          partitions: array(struct({ partitionIndex: int32, errorCode: int16 })),
        }),
      ),
    }),
  ),
});

/**
 * Between brokers: the transaction coordinator has commit or abort markers written into
 * partitions.
 */
export const writeTxnMarkersApi = defineApi({
  key: 27,
  name: "WriteTxnMarkers",
  versions: [1, 2],
  flexible: 1,
  request,
  response,
});

export type WriteTxnMarkersRequest = Infer<typeof request>;
export type WriteTxnMarkersRequestInput = InferInput<typeof request>;
export type WriteTxnMarkersResponse = Infer<typeof response>;
export type WriteTxnMarkersResponseInput = InferInput<typeof response>;
