import { describe, expect, test } from "bun:test";
import { type Uuid, ZERO_UUID } from "@mantou/base";
import { ErrorCode, deleteTopicsApi } from "@mantou/protocol";
import { handleDeleteTopics } from "../../src/handlers/delete-topics.ts";
import { HandlerContext, ask, versionsOf } from "./handler-context.ts";

const remove = (broker: HandlerContext, version: number, ...names: string[]) =>
  ask(broker, deleteTopicsApi, handleDeleteTopics, version, {
    topics: version >= 6 ? names.map((name) => ({ name, topicId: ZERO_UUID })) : [],
    topicNames: version < 6 ? names : [],
    timeoutMs: 1000,
  });

describe("DeleteTopics", () => {
  test.each(versionsOf(deleteTopicsApi))("v%d deletes by name", async (version) => {
    const broker = new HandlerContext();
    const topicId = broker.create("t");
    const response = await remove(broker, version, "t", "nobody");
    expect(response.responses).toMatchObject([
      { name: "t", errorCode: 0, topicId: version >= 6 ? topicId : ZERO_UUID },
      { name: "nobody", errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
    ]);
    expect(broker.image.topicByName("t")).toBeUndefined();
  });

  test("v6 deletes by id, and knows a stranger's", async () => {
    const broker = new HandlerContext();
    const topicId = broker.create("t");
    const stranger = "strangersIdAAAAAAAAAAA" as Uuid;
    const response = await ask(broker, deleteTopicsApi, handleDeleteTopics, 6, {
      topics: [
        { name: null, topicId },
        { name: null, topicId: stranger },
        { name: null, topicId: ZERO_UUID },
        { name: "t", topicId },
      ],
      timeoutMs: 1000,
    });
    expect(response.responses.map((each) => each.errorCode).sort((a, b) => a - b)).toEqual([
      ErrorCode.INVALID_REQUEST,
      ErrorCode.INVALID_REQUEST,
      ErrorCode.INVALID_REQUEST,
      ErrorCode.UNKNOWN_TOPIC_ID,
    ]);
    const alone = await ask(broker, deleteTopicsApi, handleDeleteTopics, 6, {
      topics: [{ name: null, topicId }],
      timeoutMs: 1000,
    });
    expect(alone.responses).toMatchObject([{ name: "t", topicId, errorCode: 0 }]);
  });

  test("where deletion is off, the code is one that the version knows", async () => {
    const broker = new HandlerContext({ "delete.topic.enable": "false" });
    broker.create("t");
    for (const version of versionsOf(deleteTopicsApi)) {
      const [refused] = (await remove(broker, version, "t")).responses;
      expect(refused?.errorCode).toBe(
        version < 3 ? ErrorCode.INVALID_REQUEST : ErrorCode.TOPIC_DELETION_DISABLED,
      );
    }
  });
});
