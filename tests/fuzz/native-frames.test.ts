import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { Client } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { AwareValues } from "./aware-values.ts";
import { BatchMaker } from "./batch-maker.ts";
import { FrameMaker } from "./frame-maker.ts";
import { HostileSocket, prefix } from "./hostile-socket.ts";
import { canMeasure, rssOf } from "./process-usage.ts";
import { World } from "./world.ts";

/**
 * The fuzzer's frames through real sockets and the native engine. Nobody looks at single answers
 * here (`frames.test.ts` does): the process lives, serves others, and starts again on what it wrote.
 */
const ROUNDS = process.env["MANTOU_LONG"] === "1" ? 2000 : 40;
const SOCKETS = 16;
const FRAMES_PER_SOCKET = 24;
const TOPICS = ["t0", "t1", "t2", "t3"];
/** The topic of the honest client. */
const KEPT = "kept";
/** Its own settings, since the fuzzer changes the broker's, which topics without any follow. */
const KEPT_CONFIGS = {
  "cleanup.policy": "delete",
  "compression.type": "producer",
  "max.message.bytes": "1048588",
  "message.timestamp.type": "CreateTime",
  "message.timestamp.after.max.ms": "3600000",
  "message.timestamp.before.max.ms": "3600000",
  "min.insync.replicas": "1",
  "mantou.durability": "fsync",
  "retention.bytes": "-1",
  "retention.ms": "-1",
};
const LINES_PER_SECOND = 10;
const RSS_MAX = 1024 * 1024 * 1024;
const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);

const FLAGS = [
  ["mantou.partitions.max", "200"],
  ["mantou.partitions.per.topic.max", "50"],
  ["log.retention.ms", "-1"],
].flatMap(([name, value]) => ["--set", `${name}=${value}`]);

/** Makes the standing topics that are gone, and lets the fuzzer know all there are but one. */
async function furnish(client: Client, world: World): Promise<void> {
  const topics = await client.admin.listTopics();
  const known = new Set(topics.map((topic) => topic.name));
  const missing = TOPICS.filter((name) => !known.has(name));
  await client.admin.createTopics(missing.map((name) => ({ name, partitions: 2 })));
  const now = await client.admin.listTopics();
  world.topics = now
    .filter((topic) => topic.name !== KEPT)
    .map(({ name, topicId, partitions }) => ({ name, id: topicId, partitions: partitions.length }));
}

/** Sends a round of frames and hangs up, whatever was answered. */
async function attack(port: number, maker: FrameMaker): Promise<void> {
  const opening = Array.from({ length: SOCKETS }, () => HostileSocket.connect(port));
  const sockets = await Promise.all(opening);
  for (const socket of sockets) {
    const frames = Array.from({ length: FRAMES_PER_SOCKET }, () => maker.next().bytes);
    socket.write(Buffer.concat(frames.flatMap((bytes) => [prefix(bytes.length), bytes])));
  }
  await Promise.all(sockets.map((socket) => Promise.race([socket.written(), socket.closed])));
  // One honest answer later, most of the frames have had their turn.
  for (const socket of sockets) socket.reset();
}

const DEFECTS = /request_failed|not_encodable|fatal|panicked|assertion/i;

test(
  `${ROUNDS * SOCKETS * FRAMES_PER_SOCKET} frames to the native engine, seed ${seed}`,
  async () => {
    using folder = temporaryFolder();
    const options = { dataDirectory: folder.path, flags: FLAGS };
    const prng = new Prng(seed);
    const world = new World(prng);
    const batches = new BatchMaker(prng, world, () => Date.now());
    const maker = new FrameMaker(prng, world, new AwareValues(prng, world, batches));
    const kept: { readonly offset: number; readonly value: string }[] = [];
    {
      const startedMs = performance.now();
      await using broker = await BrokerProcess.start(options);
      const client = await Client.connect({ brokers: broker.address });
      await client.admin.createTopic({ name: KEPT, partitions: 1, configs: KEPT_CONFIGS });
      const producer = client.producer();
      for (let round = 0; round < ROUNDS; round += 1) {
        await furnish(client, world);
        await attack(broker.port, maker);
        const value = `round ${round}`;
        const { offset } = await producer.send({ topic: KEPT, partition: 0, value });
        kept.push({ offset, value });
      }
      if (canMeasure) expect(rssOf(broker.pid)).toBeLessThan(RSS_MAX);
      client.abort();
      expect(broker.log).not.toMatch(DEFECTS);
      // Whoever sends nonsense does not fill the disk with lines about it.
      const lines = broker.log.match(/request_malformed/g)?.length ?? 0;
      const seconds = (performance.now() - startedMs) / 1000;
      expect(lines).toBeGreaterThan(0);
      expect(lines).toBeLessThan(LINES_PER_SECOND * (seconds + 2));
      if (prng.chance(1, 2)) expect(await broker.stop()).toBe(0);
    }
    await using again = await BrokerProcess.start(options);
    expect(again.log).not.toMatch(/log_corrupt|committed_records_lost/);
    const client = await Client.connect({ brokers: again.address });
    const consumer = client.consumer();
    consumer.assign([{ topic: KEPT, partition: 0, from: 0 }]);
    const records = (await consumer.read(kept.length)).map((record) => ({
      offset: record.offset,
      value: new TextDecoder().decode(record.value ?? undefined),
    }));
    expect(records).toEqual(kept);
    client.abort();
    expect(await again.stop()).toBe(0);
  },
  ROUNDS * 5000,
);
