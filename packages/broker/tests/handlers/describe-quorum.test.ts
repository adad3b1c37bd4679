import { describe, expect, test } from "bun:test";
import { ZERO_UUID } from "@mantou/base";
import { ErrorCode, describeQuorumApi } from "@mantou/protocol";
import { handleDescribeQuorum } from "../../src/handlers/describe-quorum.ts";
import { HandlerContext, ask, versionsOf } from "./handler-context.ts";

describe("DescribeQuorum", () => {
  test.each(versionsOf(describeQuorumApi))("v%d", async (version) => {
    const response = await ask(
      new HandlerContext(),
      describeQuorumApi,
      handleDescribeQuorum,
      version,
      {
        topics: [
          { topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] },
          { topicName: "t", partitions: [{ partitionIndex: 0 }] },
        ],
      },
    );
    expect(response.errorCode).toBe(0);
    expect(response.topics[0]?.partitions).toMatchObject([
      { errorCode: 0, leaderId: 1, leaderEpoch: 3, highWatermark: 11, observers: [] },
    ]);
    expect(response.topics[0]?.partitions[0]?.currentVoters).toEqual([
      {
        replicaId: 1,
        replicaDirectoryId: version >= 2 ? ("directoryIdAAAAAAAAAAA" as never) : ZERO_UUID,
        logEndOffset: 12,
        lastFetchTimestamp: -1,
        lastCaughtUpTimestamp: version >= 1 ? 99 : -1,
      },
    ]);
    expect(response.topics[1]?.partitions[0]?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect(response.nodes).toEqual(
      version < 2
        ? []
        : [
            {
              nodeId: 1,
              listeners: [
                { name: "INSIDE", host: "inside-1", port: 9092 },
                { name: "OUTSIDE", host: "outside-1", port: 9093 },
              ],
            },
          ],
    );
  });
});
