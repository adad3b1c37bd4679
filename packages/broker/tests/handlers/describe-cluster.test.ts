import { describe, expect, test } from "bun:test";
import { ErrorCode, describeClusterApi } from "@mantou/protocol";
import { handleDescribeCluster } from "../../src/handlers/describe-cluster.ts";
import { CLUSTER_ID, HandlerContext, Listener, ask, versionsOf } from "./handler-context.ts";

describe("DescribeCluster", () => {
  test.each(versionsOf(describeClusterApi))("v%d", async (version) => {
    const broker = new HandlerContext();
    broker.join(2);
    broker.join(3);
    broker.fence(3);
    const response = await ask(broker, describeClusterApi, handleDescribeCluster, version, {
      includeClusterAuthorizedOperations: version > 0,
      includeFencedBrokers: version >= 2,
    });
    expect(response).toMatchObject({ errorCode: 0, clusterId: CLUSTER_ID, controllerId: 1 });
    expect(response.brokers.map(({ brokerId, isFenced }) => [brokerId, isFenced])).toEqual(
      version >= 2
        ? [
            [1, false],
            [2, false],
            [3, true],
          ]
        : [
            [1, false],
            [2, false],
          ],
    );
    expect(response.clusterAuthorizedOperations === -0x8000_0000).toBe(version === 0);
  });

  test("addresses are those of the listener", async () => {
    const broker = new HandlerContext();
    broker.join(2);
    const request = { includeClusterAuthorizedOperations: false };
    const response = await ask(
      broker,
      describeClusterApi,
      handleDescribeCluster,
      0,
      request,
      Listener.OUTSIDE,
    );
    expect(response.brokers).toMatchObject([{ brokerId: 1, host: "outside-1", port: 9093 }]);
  });

  test("controllers are asked for elsewhere", async () => {
    const code = async (endpointType: number) =>
      (
        await ask(new HandlerContext(), describeClusterApi, handleDescribeCluster, 1, {
          includeClusterAuthorizedOperations: false,
          endpointType,
        })
      ).errorCode;
    expect(await code(2)).toBe(ErrorCode.MISMATCHED_ENDPOINT_TYPE);
    expect(await code(7)).toBe(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE);
  });
});
