import { describe, expect, test } from "bun:test";
import { ErrorCode, findCoordinatorApi } from "@mantou/protocol";
import { advertisedApis } from "../../src/apis.ts";
import { coordinatorPartition } from "../../src/coordinators/placement.ts";
import { handleFindCoordinator } from "../../src/handlers/find-coordinator.ts";
import { HandlerContext, Listener, ask, versionsOf } from "./handler-context.ts";

describe("FindCoordinator", () => {
  const find = (
    version: number,
    keys: readonly string[],
    keyType = 0,
    broker = new HandlerContext(),
    listenerId: number = Listener.INSIDE,
  ) => {
    const [key] = keys;
    const asked = version < 4 ? { key: key as string } : { coordinatorKeys: [...keys] };
    const request = { ...asked, ...(version > 0 ? { keyType } : {}) };
    return ask(broker, findCoordinatorApi, handleFindCoordinator, version, request, listenerId);
  };
  const here = { nodeId: 1, host: "inside-1", port: 9092, errorCode: ErrorCode.NONE };
  const nowhere = { nodeId: -1, host: "", port: -1 };

  test("is told from version 0 on, without which librdkafka does not compress with lz4", () => {
    const entry = advertisedApis.find(({ key }) => key === findCoordinatorApi.key);
    expect(entry).toEqual({ key: 10, minVersion: 0, maxVersion: 6 });
  });

  test.each([0, 1, 2, 3])("v%d: one key, the topic is created for it", async (version) => {
    const broker = new HandlerContext();
    expect(await find(version, ["a"], 0, broker)).toMatchObject(here);
    expect(broker.image.topicByName("__consumer_offsets")?.partitionCount).toBe(50);
  });

  test.each([4, 5, 6])("v%d: many keys at once, an empty one as well", async (version) => {
    const answer = await find(version, ["a", "b", ""]);
    expect(answer.errorCode).toBe(ErrorCode.NONE);
    expect(answer.coordinators).toMatchObject(["a", "b", ""].map((key) => ({ key, ...here })));
  });

  test("transactional ids have a topic of their own", async () => {
    const broker = new HandlerContext();
    expect(await find(3, ["a"], 1, broker)).toMatchObject(here);
    expect(broker.image.topicByName("__consumer_offsets")).toBeUndefined();
    expect(broker.image.topicByName("__transaction_state")).toBeDefined();
  });

  test.each(versionsOf(findCoordinatorApi, 1))("v%d: share groups are refused", async (version) => {
    const answer = await find(version, ["g:AAAAAAAAAAAAAAAAAAAAAA:0"], 2);
    const refused = version < 4 ? answer : answer.coordinators[0];
    expect(refused).toMatchObject({ ...nowhere, errorCode: ErrorCode.INVALID_REQUEST });
  });

  test("a leader that is fenced, or has no address there, coordinates nobody", async () => {
    const broker = new HandlerContext();
    broker.join(2);
    broker.create("__consumer_offsets", 1, [2]);
    expect(await find(3, ["a"], 0, broker)).toMatchObject({ nodeId: 2, host: "inside-2" });
    const errorCode = ErrorCode.COORDINATOR_NOT_AVAILABLE;
    const gone = { ...nowhere, errorCode };
    expect(await find(3, ["a"], 0, broker, Listener.OUTSIDE)).toMatchObject(gone);
    broker.fence(2);
    expect(await find(3, ["a"], 0, broker)).toMatchObject(gone);
  });

  test("the partition is Java's hash without its sign", () => {
    // Values of "...".hashCode() in Java: 97, -1221270899, and the least integer of all.
    expect(coordinatorPartition("a", 50)).toBe(47);
    expect(coordinatorPartition("header", 50)).toBe(1221270899 % 50);
    expect(coordinatorPartition("polygenelubricants", 50)).toBe(0);
    expect(coordinatorPartition("", 50)).toBe(0);
  });
});
