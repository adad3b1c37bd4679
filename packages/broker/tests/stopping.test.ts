import { expect, test } from "bun:test";
import { ErrorCode, createTopicsApi, metadataApi } from "@mantou/protocol";
import { startInProcess } from "./in-process-broker.ts";

const TOPIC = { name: "t", numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
const DEADLINE_MS = 30_000;

const create = { topics: [TOPIC], timeoutMs: DEADLINE_MS, validateOnly: false };

test("a stop waits for what was asked of the controller, and answers it", async () => {
  const running = await startInProcess();
  const connection = await running.connect();
  running.io.disk.holdFlushes();
  const asked = connection.request(createTopicsApi, create);
  const deadline = Date.now() + DEADLINE_MS;
  // Taken means counted.
  while (running.broker.counters.requests < 2) {
    if (Date.now() > deadline) throw new Error("the request was not taken");
    await Bun.sleep(1);
  }
  const stopped = running.broker.stop();
  running.io.disk.releaseFlushes();
  expect((await asked).topics[0]?.errorCode).toBe(ErrorCode.NONE);
  await stopped;
  connection.close();
});

test("what comes while it stops is not taken: the connection ends without an answer", async () => {
  const running = await startInProcess();
  const connection = await running.connect();
  running.io.disk.holdFlushes();
  const asked = connection.request(createTopicsApi, create);
  const deadline = Date.now() + DEADLINE_MS;
  while (running.broker.counters.requests < 2) {
    if (Date.now() > deadline) throw new Error("the request was not taken");
    await Bun.sleep(1);
  }
  const stopped = running.broker.stop();
  const late = connection
    .request(metadataApi, { topics: [], allowAutoTopicCreation: false })
    .then(() => "answered")
    .catch(() => "refused");
  await Bun.sleep(10);
  running.io.disk.releaseFlushes();
  await asked;
  await stopped;
  expect(await late).toBe("refused");
  connection.close();
});
