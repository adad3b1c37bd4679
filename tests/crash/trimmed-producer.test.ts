import { expect, test } from "bun:test";
import { Client } from "@mantou/client";
import { ErrorCode, encodeBatch, initProducerIdApi, produceApi } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";

/** Found by the simulator: the log begins in the middle of a batch, and its producer is forgotten. */
test("a batch of which some records are deleted is known after kill -9", async () => {
  using folder = temporaryFolder();
  const start = (): Promise<BrokerProcess> => BrokerProcess.start({ dataDirectory: folder.path });
  let broker = await start();
  let client = await Client.connect({ brokers: broker.address });
  await client.admin.createTopic({ name: "t", partitions: 1 });
  const { producerId, producerEpoch } = await (
    await client.cluster.any()
  ).send(initProducerIdApi, 4, { transactionalId: null, transactionTimeoutMs: 60_000 });
  const value = Uint8Array.of(1);
  const timestamp = Date.now();
  const three = [0, 1, 2].map(() => ({ value, timestamp }));
  const records = encodeBatch(three, { producerId, producerEpoch, baseSequence: 0 });
  const produce = async () => {
    const connection = await client.cluster.any();
    const topicData = [{ name: "t", partitionData: [{ index: 0, records }] }];
    const request = { acks: -1, timeoutMs: 30_000, topicData };
    const { responses } = await connection.send(produceApi, 9, request);
    return responses[0]?.partitionResponses[0];
  };
  try {
    expect(await produce()).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 0 });
    expect(await client.admin.deleteRecords({ topic: "t", partition: 0, offset: 2 })).toBe(2);
    client.abort();
    await broker.kill();
    broker = await start();
    client = await Client.connect({ brokers: broker.address });
    expect(await produce()).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 0 });
    expect((await client.admin.listOffset("t", 0, "latest")).offset).toBe(3);
  } finally {
    client.abort();
    await broker.kill();
  }
});
