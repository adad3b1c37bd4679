import { afterAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Client, type Message } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";

/** Kills a broker that compacts, again and again: no key may lose the newest acknowledged value. */
const ROUNDS = process.env["MANTOU_LONG"] === "1" ? 40 : 5;
const KEYS = 40;
const WAIT_MS = 60_000;

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const start = (): Promise<BrokerProcess> =>
  BrokerProcess.start({
    dataDirectory: folder.path,
    environment: { MANTOU_LOG_CLEANER_BACKOFF_MS: "5" },
  });

/** The newest value of each key, as a consumer finds it. */
async function table(client: Client): Promise<Map<string, number>> {
  const { offset: end } = await client.admin.listOffset("table", 0, "latest");
  const consumer = client.consumer({ maxWaitMs: 50 });
  consumer.assign([{ topic: "table", partition: 0 }]);
  const found = new Map<string, number>();
  const text = new TextDecoder();
  while ((consumer.position("table", 0) ?? 0) < end) {
    for (const { key, value } of await consumer.poll({ timeoutMs: 200 })) {
      found.set(text.decode(key as Uint8Array), Number(text.decode(value as Uint8Array)));
    }
  }
  consumer.close();
  return found;
}

const filesOf = (suffix: RegExp): string[] =>
  readdirSync(join(folder.path, "table-0")).filter((name) => suffix.test(name));

test(
  `the newest acknowledged value of every key survives ${ROUNDS} kills`,
  async () => {
    const acknowledged = new Map<string, number>();
    const sent = new Map<string, number>();
    let serial = 0;
    let cleaned = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const broker = await start();
      const client = await Client.connect({ brokers: broker.address });
      if (round === 0) {
        const configs = {
          "cleanup.policy": "compact",
          "min.cleanable.dirty.ratio": "0",
          "segment.ms": "20",
          "file.delete.delay.ms": "0",
        };
        await client.admin.createTopic({ name: "table", partitions: 1, configs });
      }
      const found = await table(client);
      for (const [key, value] of acknowledged) {
        const now = found.get(key) ?? -1;
        expect(now, `${key} in round ${round}`).toBeGreaterThanOrEqual(value);
        expect(now).toBeLessThanOrEqual(sent.get(key) ?? -1);
      }
      // What is there now stays, whether it was acknowledged or not.
      for (const [key, value] of found) acknowledged.set(key, value);
      const producer = client.producer({ codec: round % 2 === 0 ? "none" : "zstd" });
      const stopped = new AbortController();
      const writing = (async () => {
        while (!stopped.signal.aborted) {
          const messages: Message[] = [];
          for (let count = 0; count < 10; count += 1) {
            serial += 1;
            const key = `key ${serial % KEYS}`;
            sent.set(key, serial);
            messages.push({ topic: "table", partition: 0, key, value: `${serial}` });
          }
          await producer.sendAll(messages);
          for (const { key, value } of messages) acknowledged.set(`${key}`, Number(value));
        }
      })().catch(() => {});
      const runs = (): number => broker.log.split("log_cleaned").length - 1;
      const deadline = performance.now() + WAIT_MS;
      // Killed in the middle of it: cleanings go on all the time.
      while (runs() < 3 && performance.now() < deadline) await Bun.sleep(20);
      cleaned += runs();
      await broker.kill();
      stopped.abort();
      client.abort();
      await writing;
    }
    expect(cleaned).toBeGreaterThanOrEqual(3 * ROUNDS);
    const broker = await start();
    const client = await Client.connect({ brokers: broker.address });
    const found = await table(client);
    expect(found.size).toBe(KEYS);
    client.abort();
    expect(await broker.stop()).toBe(0);
    expect(filesOf(/\.(cleaned|swap)$/)).toEqual([]);
  },
  4 * WAIT_MS,
);
