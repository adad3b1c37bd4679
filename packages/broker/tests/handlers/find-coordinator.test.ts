import { describe, expect, test } from "bun:test";
import { ErrorCode, findCoordinatorApi } from "@mantou/protocol";
import { advertisedApis } from "../../src/apis.ts";
import { handleFindCoordinator } from "../../src/handlers/find-coordinator.ts";
import { HandlerContext, ask } from "./handler-context.ts";

describe("FindCoordinator", () => {
  const find = (version: number) => {
    const request = version < 4 ? { key: "a" } : { coordinatorKeys: ["a", "b"] };
    const broker = new HandlerContext();
    return ask(broker, findCoordinatorApi, handleFindCoordinator, version, request);
  };

  test("is told from version 0 on, without which librdkafka does not compress with lz4", () => {
    const entry = advertisedApis.find(({ key }) => key === findCoordinatorApi.key);
    expect(entry).toEqual({ key: 10, minVersion: 0, maxVersion: 6 });
  });

  test.each([0, 1, 2, 3])("v%d: a code that is tried again quietly", async (version) => {
    const errorCode = ErrorCode.COORDINATOR_NOT_AVAILABLE;
    expect(await find(version)).toMatchObject({ errorCode, nodeId: -1, host: "", port: -1 });
  });

  test.each([4, 5, 6])("v%d: each key is refused for good", async (version) => {
    const answer = await find(version);
    expect(answer.errorCode).toBe(ErrorCode.NONE);
    const errorCode = ErrorCode.UNSUPPORTED_VERSION;
    const refused = { nodeId: -1, host: "", port: -1, errorCode };
    expect(answer.coordinators).toMatchObject([
      { key: "a", ...refused },
      { key: "b", ...refused },
    ]);
  });
});
