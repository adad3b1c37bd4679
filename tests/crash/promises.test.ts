import { expect, test } from "bun:test";
import { Client, produceBatch } from "@mantou/client";
import { encodeBatch, initProducerIdApi } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";

/** One test for each row of docs/produce.md that `kill-loop.test.ts` does not hold already. */

async function withBroker(
  before: (client: Client) => Promise<void>,
  after: (client: Client, log: string) => Promise<void>,
): Promise<void> {
  using folder = temporaryFolder();
  await using first = await BrokerProcess.start({ dataDirectory: folder.path });
  const client = await Client.connect({ brokers: first.address });
  await before(client);
  await first.kill();
  client.abort();
  await using second = await BrokerProcess.start({ dataDirectory: folder.path });
  const again = await Client.connect({ brokers: second.address });
  await after(again, second.log);
  again.abort();
  expect(await second.stop()).toBe(0);
}

const text = (value: Uint8Array | null): string => new TextDecoder().decode(value ?? undefined);

const end = async (client: Client, topic: string): Promise<number> =>
  (await client.admin.listOffset(topic, 0, "latest")).offset;

test("acks=1 survives kill -9 of the process", () =>
  withBroker(
    async (client) => {
      await client.admin.createTopic({ name: "t", partitions: 1 });
      const producer = client.producer({ acks: 1 });
      const sent = Array.from({ length: 500 }, (_, index) =>
        producer.send({ topic: "t", partition: 0, value: `${index}` }),
      );
      await Promise.all(sent);
    },
    async (client) => {
      const consumer = client.consumer();
      consumer.assign([{ topic: "t", partition: 0 }]);
      const values = (await consumer.read(500)).map((one) => Number(text(one.value)));
      expect(values).toEqual(Array.from({ length: 500 }, (_, index) => index));
    },
  ));

test("acks=0 promises nothing, and breaks nothing", () =>
  withBroker(
    async (client) => {
      await client.admin.createTopic({ name: "t", partitions: 1 });
      const silent = client.producer({ acks: 0 });
      for (let index = 0; index < 100; index += 1) {
        await silent.send({ topic: "t", partition: 0, value: "silent" });
      }
      const loud = client.producer({ acks: "all" });
      await loud.send({ topic: "t", partition: 0, value: "loud" });
    },
    async (client) => {
      const consumer = client.consumer();
      const count = await end(client, "t");
      consumer.assign([{ topic: "t", partition: 0 }]);
      const values = (await consumer.read(count)).map((one) => text(one.value));
      expect(values).toContain("loud");
      const producer = client.producer();
      expect((await producer.send({ topic: "t", partition: 0, value: "x" })).offset).toBe(count);
    },
  ));

test("page-cache topics survive kill -9 of the process", () =>
  withBroker(
    async (client) => {
      const configs = { "mantou.durability": "page-cache" };
      await client.admin.createTopic({ name: "t", partitions: 1, configs });
      const producer = client.producer({ acks: "all" });
      for (let index = 0; index < 200; index += 1) {
        await producer.send({ topic: "t", partition: 0, value: `${index}` });
      }
    },
    async (client) => expect(await end(client, "t")).toBe(200),
  ));

let retried: Uint8Array = new Uint8Array(0);

test("a retried batch is stored once, across kill -9", () =>
  withBroker(
    async (client) => {
      await client.admin.createTopic({ name: "t", partitions: 1 });
      const connection = await client.cluster.any();
      const { producerId, producerEpoch } = await connection.request(initProducerIdApi, {
        transactionalId: null,
        transactionTimeoutMs: 0,
      });
      const batch = encodeBatch([{ value: new Uint8Array([1]), timestamp: Date.now() }], {
        producerId,
        producerEpoch,
        baseSequence: 0,
      });
      retried = batch;
      expect((await produceBatch(client.cluster, "t", 0, batch)).baseOffset).toBe(0);
    },
    async (client) => {
      const answer = await produceBatch(client.cluster, "t", 0, retried);
      expect([answer.errorCode, answer.baseOffset]).toEqual([0, 0]);
      expect(await end(client, "t")).toBe(1);
    },
  ));

test("an answered CreateTopics, AlterConfigs, DeleteTopics, DeleteRecords survives kill -9", () =>
  withBroker(
    async (client) => {
      await client.admin.createTopic({ name: "kept", partitions: 3 });
      await client.admin.createTopic({ name: "gone", partitions: 1 });
      await client.admin.createPartitions("kept", 5);
      const producer = client.producer();
      for (let index = 0; index < 10; index += 1) {
        await producer.send({ topic: "kept", partition: 0, value: "x" });
      }
      await client.admin.deleteRecords({ topic: "kept", partition: 0, offset: 4 });
      await client.admin.deleteTopic("gone");
    },
    async (client) => {
      const topics = await client.admin.listTopics();
      expect(topics.map((topic) => topic.name)).toEqual(["kept"]);
      expect(topics[0]?.partitions.length).toBe(5);
      expect((await client.admin.listOffset("kept", 0, "earliest")).offset).toBe(4);
      expect(await end(client, "kept")).toBe(10);
    },
  ));

test("a clean stop leaves nothing to scan, and everything in place", async () => {
  using folder = temporaryFolder();
  await using first = await BrokerProcess.start({ dataDirectory: folder.path });
  const client = await Client.connect({ brokers: first.address });
  await client.admin.createTopic({ name: "t", partitions: 1 });
  const { topicId } = await client.admin.describeTopic("t");
  await client.producer().send({ topic: "t", partition: 0, value: "x" });
  client.abort();
  expect(await first.stop()).toBe(0);
  await using second = await BrokerProcess.start({ dataDirectory: folder.path });
  const again = await Client.connect({ brokers: second.address });
  expect((await again.admin.describeTopic("t")).topicId).toBe(topicId);
  expect(await end(again, "t")).toBe(1);
  again.abort();
  await second.stop();
});
