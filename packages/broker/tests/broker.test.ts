import { expect, test } from "bun:test";
import { parseBrokerConfig } from "@mantou/catalog";
import { Client, Connection } from "@mantou/client";
import { openPortableIo } from "@mantou/io";
import { ErrorCode, encodeBatch, fetchApi, produceApi } from "@mantou/protocol";
import { Broker } from "../src/broker.ts";
import { testAmbient } from "./in-process-broker.ts";

test("a stopped broker leaves no timer behind, whatever was waiting", async () => {
  const log: string[] = [];
  const ambient = testAmbient(log);
  const armed = new Set<object>();
  const timers = {
    after(delayMs: number, call: () => void): () => void {
      const timer = {};
      armed.add(timer);
      const cancel = ambient.timers.after(delayMs, () => {
        armed.delete(timer);
        call();
      });
      return () => {
        armed.delete(timer);
        cancel();
      };
    },
  };
  const config = parseBrokerConfig(
    Object.entries({ listeners: "PLAINTEXT://127.0.0.1:0", "log.dirs": "memory" }),
  );
  if (!config.ok) throw new Error(config.error.join());
  const io = openPortableIo();
  const broker = new Broker(io, config.value, { ...ambient, timers });
  await broker.start();
  const port = broker.endpoints()[0]?.port ?? 0;
  const client = await Client.connect({ brokers: `127.0.0.1:${port}` });
  await client.admin.createTopic({ name: "t", partitions: 2 });

  // A consumer waits, and a log has failed and waits to be opened again.
  const consumer = await Connection.open({ host: "127.0.0.1", port });
  const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: 100 };
  const topics = [{ topic: "t", partitions: [partition] }];
  const parked = consumer
    .send(fetchApi, 12, { maxWaitMs: 60_000, minBytes: 1, topics, forgottenTopicsData: [] })
    .catch(() => null);
  io.disk.failWrites = true;
  const batch = encodeBatch([{ value: Uint8Array.of(1), timestamp: Date.now() }]);
  const partitionData = [{ index: 1, records: batch }];
  const producer = await Connection.open({ host: "127.0.0.1", port });
  const produced = { acks: -1, timeoutMs: 1000, topicData: [{ name: "t", partitionData }] };
  const { responses } = await producer.send(produceApi, 9, produced);
  expect(responses[0]?.partitionResponses[0]?.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  expect(log.join("\n")).toContain("log_failed");
  expect(armed.size).toBeGreaterThan(0);

  await broker.stop();
  expect(armed.size).toBe(0);
  expect(log.filter((line) => line.startsWith("fatal"))).toEqual([]);
  consumer.close();
  producer.close();
  client.abort();
  await parked;
});
