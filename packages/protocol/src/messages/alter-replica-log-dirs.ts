import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  dirs: array(
    struct({ path: string, topics: array(struct({ name: string, partitions: array(int32) })) }),
  ),
});

const response = struct({
  throttleTimeMs: int32,
  results: array(
    struct({
      topicName: string,
      partitions: array(struct({ partitionIndex: int32, errorCode: int16 })),
    }),
  ),
});

/** Moves replicas between log directories of the broker asked. */
export const alterReplicaLogDirsApi = defineApi({
  key: 34,
  name: "AlterReplicaLogDirs",
  versions: [1, 2],
  flexible: 2,
  request,
  response,
});

export type AlterReplicaLogDirsRequest = Infer<typeof request>;
export type AlterReplicaLogDirsRequestInput = InferInput<typeof request>;
export type AlterReplicaLogDirsResponse = Infer<typeof response>;
export type AlterReplicaLogDirsResponseInput = InferInput<typeof response>;
