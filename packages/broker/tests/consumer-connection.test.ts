import { afterEach, beforeEach, test } from "bun:test";
import { Client } from "@mantou/client";
import { type InProcessBroker, startInProcess } from "./in-process-broker.ts";

/** Longer than any test may take. */
const HOUR_MS = 3_600_000;

let broker: InProcessBroker;
let client: Client;

beforeEach(async () => {
  broker = await startInProcess();
  client = await Client.connect({ brokers: `127.0.0.1:${broker.port}` });
  await client.admin.createTopic({ name: "quiet", partitions: 1 });
});

afterEach(async () => {
  client.abort();
  await broker[Symbol.asyncDispose]();
});

// A connection answers in the order of its requests.
test("what a client asks does not wait behind the fetch of its consumer", async () => {
  const consumer = client.consumer({ maxWaitMs: HOUR_MS });
  consumer.assign([{ topic: "quiet", partition: 0, from: 0 }]);
  while ((await broker.broker.figures()).parkedFetches === 0) await consumer.poll({ timeoutMs: 5 });
  await client.admin.createTopic({ name: "another", partitions: 1 });
  consumer.close();
  await client.admin.createTopic({ name: "third", partitions: 1 });
});
