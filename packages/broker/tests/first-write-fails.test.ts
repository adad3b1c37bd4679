import { expect, test } from "bun:test";
import { Client, Connection } from "@mantou/client";
import { ErrorCode, encodeBatch, initProducerIdApi, produceApi } from "@mantou/protocol";
import { startInProcess } from "./in-process-broker.ts";

/** Found by the simulator: the log is empty when it is opened again, and its producers are not. */
test("a batch whose write failed is no duplicate when it is sent again", async () => {
  await using running = await startInProcess();
  const { io, port } = running;
  const client = await Client.connect({ brokers: `127.0.0.1:${port}` });
  await client.admin.createTopic({ name: "t", partitions: 1 });
  const connection = await Connection.open({ host: "127.0.0.1", port });
  const { producerId, producerEpoch } = await connection.send(initProducerIdApi, 4, {
    transactionalId: null,
    transactionTimeoutMs: 60_000,
  });
  const records = encodeBatch([{ value: Uint8Array.of(1), timestamp: Date.now() }], {
    producerId,
    producerEpoch,
    baseSequence: 0,
  });
  const produce = async (): Promise<number | undefined> => {
    const topicData = [{ name: "t", partitionData: [{ index: 0, records }] }];
    const request = { acks: -1, timeoutMs: 30_000, topicData };
    const { responses } = await connection.send(produceApi, 9, request);
    return responses[0]?.partitionResponses[0]?.errorCode;
  };
  io.disk.failWrites = true;
  expect(await produce()).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  io.disk.failWrites = false;
  let errorCode = await produce();
  const deadlineMs = Date.now() + 30_000;
  while (errorCode !== ErrorCode.NONE && Date.now() < deadlineMs) errorCode = await produce();
  expect(errorCode).toBe(ErrorCode.NONE);
  expect(io.disk.directory("memory").logs.get("t-0")?.endOffset).toBe(1);
  connection.close();
  client.abort();
});
