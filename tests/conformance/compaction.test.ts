import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Client, type Message } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { apacheKafkaUnavailable, runKafkaTool } from "./apache-kafka/index.ts";
import { clientFamilies } from "./clients.ts";

/** A compacted topic in the eyes of clients and tools that we did not write. */
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
const KEYS = 20;
const ROUNDS = 30;
const WAIT_MS = 60_000;

const topicOf = (codec: string): string => `compacted-${codec}`;
const folder = temporaryFolder();
let broker: BrokerProcess;
let ours: Client;
/** By codec: "offset key=value" of every record that is left. */
const left = new Map<string, string[]>();

async function start(): Promise<void> {
  const environment = { MANTOU_LOG_CLEANER_BACKOFF_MS: "50" };
  broker = await BrokerProcess.start({ dataDirectory: folder.path, environment });
  ours = await Client.connect({ brokers: broker.address });
}

const line = (offset: number, key: string | null, value: string | null): string =>
  `${offset} ${key}=${value}`;

/** Rounds over the same keys; the last records lie in the segment that is written to. */
async function fill(codec: (typeof CODECS)[number]): Promise<void> {
  const configs = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0",
    "segment.ms": "100",
  };
  const topic = topicOf(codec);
  await ours.admin.createTopic({ name: topic, partitions: 1, configs });
  const producer = ours.producer({ codec, idempotent: codec !== "gzip", batchBytes: 4000 });
  const begin = Date.now() - 1_000_000;
  for (let round = 0; round < ROUNDS; round += 1) {
    const messages: Message[] = [];
    for (let key = 0; key < KEYS; key += 1) {
      const isDeleted = key === 7 && round === ROUNDS - 1;
      messages.push({
        ...{ topic, partition: 0, key: `key ${key}` },
        value: isDeleted ? null : `round ${round} `.repeat(20),
        timestamp: begin + round * 60,
        headers: key % 2 === 0 ? [{ key: "round", value: `${round}` }] : [],
      });
    }
    await producer.sendAll(messages);
  }
  const last = { topic, partition: 0, key: "last", value: "x", timestamp: begin + 1_000_000 };
  await producer.sendAll([last]);
  await producer.close();
}

async function consume(topic: string, end: number): Promise<string[]> {
  const consumer = ours.consumer({ maxWaitMs: 50 });
  consumer.assign([{ topic, partition: 0 }]);
  const found: string[] = [];
  const text = (bytes: Uint8Array | null): string | null =>
    bytes === null ? null : new TextDecoder().decode(bytes);
  while ((consumer.position(topic, 0) ?? 0) < end) {
    for (const { offset, key, value } of await consumer.poll({ timeoutMs: 200 })) {
      found.push(line(offset, text(key), text(value)));
    }
  }
  consumer.close();
  return found;
}

/** Waits until of each key only the newest is left. */
async function cleaned(codec: string): Promise<string[]> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const found = await consume(topicOf(codec), ROUNDS * KEYS + 1);
    if (found.length === KEYS + 1) return found;
    if (performance.now() > deadline) throw new Error(`${codec}: ${found.length} records are left`);
    await Bun.sleep(50);
  }
}

beforeAll(async () => {
  await start();
  for (const codec of CODECS) await fill(codec);
  for (const codec of CODECS) left.set(codec, await cleaned(codec));
}, 2 * WAIT_MS);

afterAll(async () => {
  ours?.abort();
  await broker?.stop();
  folder[Symbol.dispose]();
});

test("the newest record of each key is left, where it was", () => {
  for (const codec of CODECS) {
    const expected = Array.from({ length: KEYS }, (_, key) => {
      const offset = (ROUNDS - 1) * KEYS + key;
      return line(offset, `key ${key}`, key === 7 ? null : `round ${ROUNDS - 1} `.repeat(20));
    });
    expected.push(line(ROUNDS * KEYS, "last", "x"));
    expect(left.get(codec) ?? []).toEqual(expected);
  }
});

for (const { name, find } of clientFamilies) {
  const found = await find();
  if ("skip" in found) test.skip(`${name}: ${found.skip}`, () => {});
  else {
    test(`${name} reads what is left, from the beginning`, async () => {
      // What was compressed with snappy is now in Java's framing, which not everybody reads.
      const codecs = found.codecs.filter((codec) => codec !== "snappy" || found.readsXerial);
      for (const codec of codecs) {
        const answer = await found.run({
          ...{ op: "consume", bootstrap: broker.address, topic: topicOf(codec) },
          ...{ partition: 0, offset: 0, count: KEYS + 1 },
        });
        const text = (value: string | null): string | null =>
          value === null ? null : Buffer.from(value, "base64").toString();
        const records = (answer.records ?? []).map(({ offset, key, value }) =>
          line(offset, text(key), text(value)),
        );
        expect(records, codec).toEqual(left.get(codec) ?? []);
      }
      await found.close();
    }, 120_000);
  }
}

const unavailable = await apacheKafkaUnavailable();
if (unavailable !== null) test.skip(`kafka-dump-log: ${unavailable}`, () => {});
else describe("kafka-dump-log", dumpTests);

function dumpTests(): void {
  /** Gaps between offsets are what compaction makes; everything else is a complaint. */
  const COMPLAINT = /mismatch|corrupt|invalid|isvalid: false|Exception|out of order|incomplete/i;

  test("finds nothing wrong with compacted segments and their indexes", async () => {
    ours.abort();
    expect(await broker.stop()).toBe(0);
    const paths = CODECS.flatMap((codec) => {
      const directory = join(folder.path, `${topicOf(codec)}-0`);
      const files = readdirSync(directory).filter((name) => /\.(log|index|timeindex)$/.test(name));
      return files.sort().map((name) => join(directory, name));
    });
    const args = ["--deep-iteration", "--files", paths.join(",")];
    const { code, stdout, stderr } = await runKafkaTool("kafka-dump-log", args);
    expect(code, stderr).toBe(0);
    const words = (stdout + stderr).split("\n");
    expect(words.filter((word) => COMPLAINT.test(word))).toEqual([]);
    const offsets = [...stdout.matchAll(/^\| offset: (\d+) /gm)].map(([, offset]) => offset);
    const kept = CODECS.flatMap((codec) => left.get(codec) ?? []);
    expect(offsets).toEqual(kept.map((record) => record.split(" ")[0]));
    expect(stdout).toContain("deleteHorizonMs: OptionalLong[");
    await start();
  }, 120_000);
}
