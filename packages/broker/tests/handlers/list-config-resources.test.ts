import { describe, expect, test } from "bun:test";
import { ErrorCode, listConfigResourcesApi } from "@mantou/protocol";
import { handleListConfigResources } from "../../src/handlers/list-config-resources.ts";
import { HandlerContext, ask } from "./handler-context.ts";

describe("ListConfigResources", () => {
  const list = async (version: number, resourceTypes: number[] = []) => {
    const broker = new HandlerContext();
    broker.create("b");
    broker.create("a");
    const request = { resourceTypes };
    return ask(broker, listConfigResourcesApi, handleListConfigResources, version, request);
  };

  test("v0 asks for client metrics, which nobody has", async () => {
    expect(await list(0)).toMatchObject({ errorCode: 0, configResources: [] });
  });

  test("v1: everything, some, or what does not exist", async () => {
    const topics = [
      { resourceName: "a", resourceType: 2 },
      { resourceName: "b", resourceType: 2 },
    ];
    const brokers = [
      { resourceName: "1", resourceType: 4 },
      { resourceName: "1", resourceType: 8 },
    ];
    expect((await list(1)).configResources).toEqual([...topics, ...brokers]);
    expect((await list(1, [2, 2])).configResources).toEqual(topics);
    expect((await list(1, [32])).configResources).toEqual([]);
    expect(await list(1, [2, 77])).toMatchObject({
      errorCode: ErrorCode.UNSUPPORTED_VERSION,
      configResources: [],
    });
  });
});
