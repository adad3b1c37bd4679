import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  topics: f(array(struct({ topic: string, partitions: array(int32) })), { nullable: true }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: f(int16, { since: 3, ignorable: true }),
  results: array(
    struct({
      errorCode: int16,
      logDir: string,
      topics: array(
        struct({
          name: string,
          partitions: array(
            struct({
              partitionIndex: int32,
              partitionSize: int64,
              offsetLag: int64,
              isFutureKey: bool,
            }),
          ),
        }),
      ),
      totalBytes: f(int64, { since: 4, default: -1, ignorable: true }),
      usableBytes: f(int64, { since: 4, default: -1, ignorable: true }),
      isCordoned: f(bool, { since: 5, default: false, ignorable: true }),
    }),
  ),
});

/**
 * Log directories of the broker asked: their space and the sizes of the logs in them. A null
 * list of topics means all.
 */
export const describeLogDirsApi = defineApi({
  key: 35,
  name: "DescribeLogDirs",
  versions: [1, 5],
  flexible: 2,
  request,
  response,
});

export type DescribeLogDirsRequest = Infer<typeof request>;
export type DescribeLogDirsRequestInput = InferInput<typeof request>;
export type DescribeLogDirsResponse = Infer<typeof response>;
export type DescribeLogDirsResponseInput = InferInput<typeof response>;
