import { describe, expect, test } from "bun:test";
import { ZERO_UUID } from "@mantou/base";
import { type CreateTopicsRequestInput, ErrorCode, createTopicsApi } from "@mantou/protocol";
import { handleCreateTopics } from "../../src/handlers/create-topics.ts";
import { HandlerContext, ask, versionsOf } from "./handler-context.ts";

type Topic = CreateTopicsRequestInput["topics"][number];

const topic = (name: string, more: Partial<Topic> = {}): Topic => ({
  name,
  numPartitions: 2,
  replicationFactor: 1,
  assignments: [],
  configs: [],
  ...more,
});

const create = (broker: HandlerContext, version: number, topics: Topic[], validateOnly = false) =>
  ask(broker, createTopicsApi, handleCreateTopics, version, { topics, validateOnly });

describe("CreateTopics", () => {
  test.each(versionsOf(createTopicsApi))("v%d creates and tells what it may", async (version) => {
    const broker = new HandlerContext();
    const configs = [{ name: "retention.ms", value: "7" }];
    const response = await create(broker, version, [topic("t", { configs })]);
    const [created] = response.topics;
    expect(created).toMatchObject({
      name: "t",
      errorCode: 0,
      errorMessage: null,
      numPartitions: version >= 5 ? 2 : -1,
      replicationFactor: version >= 5 ? 1 : -1,
      topicId: version >= 7 ? (broker.image.topicByName("t")?.topicId as string) : ZERO_UUID,
    });
    const retention = created?.configs?.find(({ name }) => name === "retention.ms");
    if (version < 5) expect(retention).toBeUndefined();
    else {
      expect(retention).toEqual({
        name: "retention.ms",
        value: "7",
        readOnly: false,
        configSource: 1,
        isSensitive: false,
      });
      expect(created?.configs?.length).toBeGreaterThan(15);
    }
  });

  test.each(versionsOf(createTopicsApi))("v%d says what is wrong", async (version) => {
    const broker = new HandlerContext();
    broker.create("there");
    const response = await create(broker, version, [
      topic("there"),
      topic("bad", { configs: [{ name: "cleanup.policy", value: "shred" }] }),
      topic("null", { configs: [{ name: "retention.ms", value: null }] }),
      topic("wide", { replicationFactor: 2 }),
      topic("fine"),
      topic("twice"),
      topic("twice"),
    ]);
    expect(Object.fromEntries(response.topics.map((each) => [each.name, each.errorCode]))).toEqual({
      there: ErrorCode.TOPIC_ALREADY_EXISTS,
      bad: ErrorCode.INVALID_CONFIG,
      null: ErrorCode.INVALID_CONFIG,
      wide: ErrorCode.INVALID_REPLICATION_FACTOR,
      fine: ErrorCode.NONE,
      twice: ErrorCode.INVALID_REQUEST,
    });
    expect(response.topics).toHaveLength(6);
    const bad = response.topics.find(({ name }) => name === "bad");
    expect(bad?.errorMessage).toContain("there are delete and compact");
    expect([...broker.image.topicsByName.keys()].sort()).toEqual(["fine", "there"]);
  });

  test("validateOnly answers as if, and creates nothing", async () => {
    const broker = new HandlerContext();
    const response = await create(broker, 7, [topic("t")], true);
    expect(response.topics).toMatchObject([
      { errorCode: 0, topicId: ZERO_UUID, numPartitions: 2, replicationFactor: 1 },
    ]);
    expect(broker.image.topicsByName.size).toBe(0);
  });
});
