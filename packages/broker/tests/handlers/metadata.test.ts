import { describe, expect, test } from "bun:test";
import { type Uuid, ZERO_UUID } from "@mantou/base";
import { ErrorCode, type MetadataRequestInput, metadataApi } from "@mantou/protocol";
import { handleMetadata } from "../../src/handlers/metadata.ts";
import { CLUSTER_ID, HandlerContext, Listener, ask, versionsOf } from "./handler-context.ts";

const named = (...names: string[]): MetadataRequestInput => ({
  topics: names.map((name) => ({ name })),
});

const metadata = (
  broker: HandlerContext,
  version: number,
  request: MetadataRequestInput,
  listenerId: number = Listener.INSIDE,
) => ask(broker, metadataApi, handleMetadata, version, request, listenerId);

describe("every version", () => {
  test.each(versionsOf(metadataApi))("v%d describes a topic", async (version) => {
    const broker = new HandlerContext();
    const topicId = broker.create("t", 2);
    const response = await metadata(broker, version, named("t"));
    expect(response.brokers).toEqual([
      { nodeId: 1, host: "inside-1", port: 9092, rack: version >= 1 ? "r1" : null },
    ]);
    expect(response.controllerId).toBe(version >= 1 ? 1 : -1);
    expect(response.clusterId).toBe(version >= 2 ? CLUSTER_ID : null);
    expect(response.topics).toMatchObject([
      { errorCode: 0, name: "t", topicId: version >= 10 ? topicId : ZERO_UUID },
    ]);
    expect(response.topics[0]?.partitions).toEqual(
      [0, 1].map((partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: 1,
        leaderEpoch: version >= 7 ? 0 : -1,
        replicaNodes: [1],
        isrNodes: [1],
        offlineReplicas: [],
      })),
    );
  });

  test.each(versionsOf(metadataApi, 1))(
    "v%d: null is everything, empty is nothing",
    async (version) => {
      const broker = new HandlerContext();
      broker.create("b");
      broker.create("a");
      const all = await metadata(broker, version, { topics: null });
      expect(all.topics.map(({ name }) => name)).toEqual(["a", "b"]);
      const none = await metadata(broker, version, { topics: [] });
      expect(none.topics).toEqual([]);
      expect(none.brokers).toHaveLength(1);
    },
  );

  test("v0 has no null: empty is everything", async () => {
    const broker = new HandlerContext();
    broker.create("a");
    const all = await metadata(broker, 0, { topics: [] });
    expect(all.topics.map(({ name }) => name)).toEqual(["a"]);
  });
});

describe("topics that do not exist", () => {
  test("are created, once, and described in the same answer", async () => {
    const broker = new HandlerContext({ "num.partitions": "3" });
    const response = await metadata(broker, 12, named("new", "new"));
    expect(response.topics).toMatchObject([{ errorCode: 0, name: "new" }]);
    expect(response.topics[0]?.partitions).toHaveLength(3);
    expect(broker.image.topicByName("new")?.partitionCount).toBe(3);
  });

  test("are not created when the client, the broker or the name says no", async () => {
    const unknown = [{ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, topicId: ZERO_UUID }];
    const willing = new HandlerContext();
    const asked = { ...named("x"), allowAutoTopicCreation: false };
    expect((await metadata(willing, 4, asked)).topics).toMatchObject(unknown);
    const strict = new HandlerContext({ "auto.create.topics.enable": "false" });
    expect((await metadata(strict, 4, named("x"))).topics).toMatchObject(unknown);
    expect((await metadata(willing, 4, named("__consumer_offsets"))).topics).toMatchObject(unknown);
    expect((await metadata(willing, 4, named("__cluster_metadata"))).topics).toMatchObject(unknown);
    expect((await metadata(willing, 4, named("b@d"))).topics).toMatchObject([
      { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, name: "b@d" },
    ]);
    expect(willing.image.topicsByName.size).toBe(0);
    expect(strict.image.topicsByName.size).toBe(0);
  });

  test("that cannot be created say why", async () => {
    const broker = new HandlerContext({ "default.replication.factor": "3" });
    broker.create("a.b");
    const response = await metadata(broker, 9, named("x", "a_b"));
    expect(response.topics).toMatchObject([
      { name: "x", errorCode: ErrorCode.INVALID_REPLICATION_FACTOR },
      { name: "a_b", errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION },
    ]);
  });

  test("a refusal of one does not hide the others", async () => {
    const broker = new HandlerContext();
    broker.create("known");
    const response = await metadata(broker, 9, named("known", "b@d", "new"));
    expect(response.topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ["known", 0],
      ["b@d", ErrorCode.INVALID_TOPIC_EXCEPTION],
      ["new", 0],
    ]);
  });
});

describe("topics by id", () => {
  const byId = (topicId: Uuid): MetadataRequestInput => ({ topics: [{ topicId, name: null }] });

  test.each([12, 13])("v%d", async (version) => {
    const broker = new HandlerContext();
    const topicId = broker.create("t");
    expect((await metadata(broker, version, byId(topicId))).topics).toMatchObject([
      { errorCode: 0, name: "t", topicId },
    ]);
    const stranger = "strangersIdAAAAAAAAAAA" as Uuid;
    expect((await metadata(broker, version, byId(stranger))).topics).toMatchObject([
      { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null, topicId: stranger, partitions: [] },
    ]);
  });

  test.each([10, 11])("v%d has the field and not the meaning", async (version) => {
    const broker = new HandlerContext();
    const topicId = broker.create("t");
    const response = await metadata(broker, version, byId(topicId));
    expect(response.topics).toMatchObject([{ errorCode: ErrorCode.INVALID_REQUEST, name: "" }]);
    expect(broker.commands.filter(({ kind }) => kind === "createTopics")).toHaveLength(1);
  });

  test("a topic that is created anew has another id", async () => {
    const broker = new HandlerContext();
    const before = broker.create("t");
    broker.run({ kind: "deleteTopics", topics: [{ name: "t", topicId: ZERO_UUID }] });
    const after = broker.create("t");
    expect(after).not.toBe(before);
    expect((await metadata(broker, 12, byId(before))).topics).toMatchObject([
      { errorCode: ErrorCode.UNKNOWN_TOPIC_ID },
    ]);
  });
});

describe("brokers", () => {
  test("have the address of the listener on which was asked", async () => {
    const broker = new HandlerContext();
    broker.join(2);
    broker.create("t", 1, [1, 2]);
    const inside = await metadata(broker, 9, named("t"));
    expect(inside.brokers.map(({ host, port }) => `${host}:${port}`)).toEqual([
      "inside-1:9092",
      "inside-2:9092",
    ]);
    const outside = await metadata(broker, 9, named("t"), Listener.OUTSIDE);
    expect(outside.brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(["outside-1:9093"]);
  });

  test("a leader without an address there is no leader to this client", async () => {
    const broker = new HandlerContext();
    broker.join(2);
    broker.create("t", 1, [2]);
    const partition = async (version: number) =>
      (await metadata(broker, version, named("t"), Listener.OUTSIDE)).topics[0]?.partitions[0];
    const old = { errorCode: ErrorCode.LEADER_NOT_AVAILABLE, leaderId: -1 };
    expect(await partition(5)).toMatchObject(old);
    expect(await partition(6)).toMatchObject({
      errorCode: ErrorCode.LISTENER_NOT_FOUND,
      leaderId: -1,
    });
  });

  test("fenced ones are hidden; their partitions have other leaders, or none", async () => {
    const broker = new HandlerContext();
    broker.join(2);
    broker.create("alone", 1, [2]);
    broker.create("both", 1, [2, 1]);
    broker.fence(2);
    const response = await metadata(broker, 9, named("alone", "both"));
    expect(response.brokers.map(({ nodeId }) => nodeId)).toEqual([1]);
    expect(response.topics.map(({ partitions }) => partitions[0])).toMatchObject([
      { errorCode: ErrorCode.LEADER_NOT_AVAILABLE, leaderId: -1, offlineReplicas: [2] },
      { errorCode: 0, leaderId: 1, leaderEpoch: 1, isrNodes: [1], offlineReplicas: [2] },
    ]);
  });
});

test("operations are told to those who ask", async () => {
  const broker = new HandlerContext();
  broker.create("t");
  const asked = {
    ...named("t"),
    includeTopicAuthorizedOperations: true,
    includeClusterAuthorizedOperations: true,
  };
  const response = await metadata(broker, 8, asked);
  expect(response.topics[0]?.topicAuthorizedOperations).toBe(0b1101_1111_1000);
  expect(response.clusterAuthorizedOperations).toBeGreaterThan(0);
  const silent = await metadata(broker, 8, named("t"));
  expect(silent.topics[0]?.topicAuthorizedOperations).toBe(-0x8000_0000);
  expect(silent.clusterAuthorizedOperations).toBe(-0x8000_0000);
});
