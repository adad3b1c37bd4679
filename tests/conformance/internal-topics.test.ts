import { afterAll, beforeAll, expect, test } from "bun:test";
import { Client, Connection, codecs } from "@mantou/client";
import { ErrorCode, encodeBatch, findCoordinatorApi, produceApi } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { waitFor } from "./groups/wait-for.ts";

/** Who may write where coordinators keep their state, and what. */
const folder = temporaryFolder();
let broker: BrokerProcess;
let client: Client;

beforeAll(async () => {
  broker = await BrokerProcess.start({ dataDirectory: folder.path });
  client = await Client.connect({ brokers: broker.address });
  const connection = await client.cluster.any();
  await waitFor(
    async () => (await connection.send(findCoordinatorApi, 1, { key: "g" })).errorCode === 0,
    () => broker.log,
  );
});

afterAll(async () => {
  client?.abort();
  await broker?.stop();
  folder[Symbol.dispose]();
});

/** Produces one record as `clientId` and gives the partition's error code. */
async function write(clientId: string, topic: string, isCompressed: boolean): Promise<number> {
  const { port } = broker;
  const connection = await Connection.open({ host: "127.0.0.1", port, clientId });
  try {
    const bytes = new TextEncoder().encode("key");
    const record = { key: bytes, value: bytes, timestamp: Date.now() };
    const records = encodeBatch([record], isCompressed ? { codec: 4, codecs } : {});
    const answer = await connection.send(produceApi, 9, {
      ...{ acks: -1, timeoutMs: 10_000 },
      topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
    });
    return answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
  } finally {
    connection.close();
  }
}

test("clients may not write to internal topics", async () => {
  expect(await write("a client", "__consumer_offsets", false)).toBe(
    ErrorCode.INVALID_TOPIC_EXCEPTION,
  );
});

test("an administrator's tool may, but for what a coordinator could not read back", async () => {
  const tool = "__admin_client";
  expect(await write(tool, "__consumer_offsets", true)).toBe(ErrorCode.INVALID_RECORD);
  expect(await write(tool, "__consumer_offsets", false)).toBe(ErrorCode.NONE);
});

test("a coordinator goes on after a restart, whatever such a tool has written", async () => {
  await broker.kill();
  broker = await BrokerProcess.start({ dataDirectory: folder.path });
  const again = await Client.connect({ brokers: broker.address });
  try {
    await again.admin.createTopic({ name: "t", partitions: 1 });
    for (let group = 0; group < 60; group += 1) {
      await again.groups.commit(`group-${group}`, [{ topic: "t", partition: 0, offset: 1 }]);
    }
  } finally {
    again.abort();
  }
});
