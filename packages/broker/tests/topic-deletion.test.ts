import { expect, test } from "bun:test";
import { Client } from "@mantou/client";
import { ErrorCode, encodeBatch, produceApi } from "@mantou/protocol";
import { startInProcess } from "./in-process-broker.ts";

const batch = (): Uint8Array =>
  encodeBatch([{ value: new TextEncoder().encode("v"), timestamp: Date.now() }]);

test("a topic can be deleted while its partitions are written to", async () => {
  await using broker = await startInProcess();
  const client = await Client.connect({ brokers: `127.0.0.1:${broker.port}` });
  const connection = await broker.connect();
  for (let round = 0; round < 20; round += 1) {
    const name = `t-${round}`;
    await client.admin.createTopic({ name, partitions: 2 });
    const codes = new Set<number>();
    const deleted = new AbortController();
    let answered = 0;
    let underWay = (): void => {};
    const isUnderWay = new Promise<void>((resolve) => {
      underWay = resolve;
    });
    const lane = async (index: number, acks: number): Promise<void> => {
      while (!deleted.signal.aborted) {
        const topicData = [{ name, partitionData: [{ index, records: batch() }] }];
        const request = { acks, timeoutMs: 10_000, topicData };
        const { responses } = await connection.send(produceApi, 9, request);
        codes.add(responses[0]?.partitionResponses[0]?.errorCode as number);
        answered += 1;
        if (answered > round) underWay();
      }
    };
    const lanes = [lane(0, -1), lane(1, 1), lane(0, 1), lane(1, -1)];
    await isUnderWay;
    await client.admin.deleteTopic(name);
    deleted.abort();
    await Promise.all(lanes);
    codes.delete(ErrorCode.NONE);
    codes.delete(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect([...codes]).toEqual([]);
  }
  expect(broker.log.filter((line) => line.includes("fatal"))).toEqual([]);
  connection.close();
  client.abort();
});
