import { afterEach, expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { decodeBatches, encodeBatch, ErrorCode, produceApi } from "@mantou/protocol";
import { Client } from "../src/client.ts";
import { codecs } from "../src/codecs.ts";
import type { BrokerError } from "../src/errors.ts";
import { ClientError } from "../src/errors.ts";
import type { Delivery } from "../src/messages.ts";
import { produceBatch } from "../src/produce-batch.ts";
import type { ProducerOptions } from "../src/producer-options.ts";
import { CLOSE } from "./fake-broker.ts";
import { FakeCluster, type FakePartition, type Fault } from "./fake-cluster.ts";

const SEEDS = process.env["MANTOU_LONG"] === "1" ? 200 : 6;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function start(
  leaders: readonly number[],
  brokers = 2,
  maxVersions: Readonly<Record<string, number>> = {},
): Promise<{ fake: FakeCluster; client: Client; partitions: FakePartition[] }> {
  const fake = new FakeCluster(brokers, maxVersions);
  const partitions = fake.topic("t", leaders);
  const client = await Client.connect({ brokers: fake.addresses, retryTimeoutMs: 2000 });
  closers.push(
    () => client.abort(),
    () => fake.stop(),
  );
  return { fake, client, partitions };
}

const numbered = (count: number, partition = 0) =>
  Array.from({ length: count }, (_, index) => ({ topic: "t", partition, value: `${index}` }));
const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);

async function outcomes(promises: readonly Promise<Delivery>[]): Promise<(Delivery | Error)[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((result) =>
    result.status === "fulfilled" ? result.value : (result.reason as Error),
  );
}

test("records arrive in order and are told their offsets, with every acks and codec", async () => {
  const { fake, client } = await start([0, 1]);
  let base = 0;
  for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
    for (const acks of [1, "all"] as const) {
      const producer = client.producer({ codec, acks });
      const deliveries = await producer.sendAll(numbered(50, 1));
      const offsets = deliveries.map((delivery) => delivery.offset);
      expect(offsets).toEqual(Array.from({ length: 50 }, (_, index) => base + index));
      base += 50;
    }
  }
  expect(fake.values("t", 1)).toEqual(Array.from({ length: 10 }, () => texts(50)).flat());
  expect(fake.values("t", 0)).toEqual([]);
});

test("acks 0 does not wait for an answer", async () => {
  const { fake, client } = await start([0]);
  const producer = client.producer({ acks: 0 });
  const [delivery] = await producer.sendAll(numbered(3));
  expect(delivery).toMatchObject({ topic: "t", partition: 0, offset: -1 });
  const deadline = performance.now() + 2000;
  while (fake.values("t", 0).length < 3 && performance.now() < deadline) await Bun.sleep(1);
  expect(fake.values("t", 0)).toEqual(texts(3));
});

test("a broker that is away for longer than a topic may be unknown loses nothing", async () => {
  const { fake, client } = await start([0], 1);
  const producer = client.producer({ metadataTimeoutMs: 50, deliveryTimeoutMs: 20_000 });
  await producer.sendAll(numbered(1));
  const [broker] = fake.brokers;
  if (broker === undefined) throw new Error("no broker");
  broker.isAway = true;
  broker.drop();
  const sent = Promise.allSettled(numbered(3).map((message) => producer.send(message)));
  const tries = () => client.cluster.knownTopic("t") === undefined;
  const start0 = performance.now();
  // Several times the 50 ms.
  while (!tries() || performance.now() - start0 < 300) await Bun.sleep(5);
  broker.isAway = false;
  expect((await sent).map(({ status }) => status)).toEqual(Array(3).fill("fulfilled"));
  expect(fake.values("t", 0)).toEqual(["0", ...texts(3)]);
});

test("works with brokers that have no topic ids", async () => {
  const { fake, client } = await start([0], 1, { Metadata: 8, Produce: 7 });
  await client.producer({ idempotent: true }).sendAll(numbered(5));
  expect(fake.values("t", 0)).toEqual(texts(5));
});

test("keys choose partitions as Java's client does; records without a key stay together", async () => {
  const { fake, client } = await start([0, 1, 0, 1]);
  const producer = client.producer();
  const keyed = ["a", "ab", "foobar"].map((key) => ({ topic: "t", key, value: key }));
  const deliveries = await producer.sendAll(keyed);
  expect(deliveries.map((delivery) => delivery.partition)).toEqual([0, 2, 2]);
  const before = fake.topics.get("t")?.map((partition) => partition.batches.length) ?? [];
  await producer.sendAll(Array.from({ length: 20 }, () => ({ topic: "t", value: "free" })));
  const after = fake.topics.get("t")?.map((partition) => partition.batches.length) ?? [];
  expect(after.reduce((sum, count, index) => sum + count - (before[index] ?? 0), 0)).toBe(1);
});

test("batches fill up to their size, and linger for company", async () => {
  const { client, partitions } = await start([0]);
  const [partition] = partitions;
  const producer = client.producer({ batchBytes: 2000, lingerMs: 10_000 });
  const sent = numbered(100).map((message) => producer.send({ ...message, value: "x".repeat(60) }));
  await producer.flush();
  await Promise.all(sent);
  const sizes = partition?.batches.map((bytes) => bytes.length) ?? [];
  expect(sizes.length).toBeGreaterThan(3);
  for (const size of sizes) expect(size).toBeLessThanOrEqual(2000);
  const lingering = client.producer({ lingerMs: 20 });
  const before = performance.now();
  const first = lingering.send({ topic: "t", partition: 0, value: "a" });
  await Bun.sleep(2);
  const second = lingering.send({ topic: "t", partition: 0, value: "b" });
  const offsets = (await Promise.all([first, second])).map((delivery) => delivery.offset);
  expect(offsets).toEqual([100, 101]);
  expect(performance.now() - before).toBeGreaterThan(15);
  const [last] = decodeBatches(partition?.batches.at(-1) as Uint8Array, { codecs });
  expect(last?.records.length).toBe(2);
});

test("send waits for room, and memory stays below its bound", async () => {
  const { fake, client } = await start([0]);
  const producer = client.producer({ bufferBytesMax: 5000, batchBytes: 1000 });
  let most = 0;
  const sent = numbered(300).map(async (message) => {
    const delivery = producer.send(message);
    most = Math.max(most, producer.bytesBuffered);
    await delivery;
    most = Math.max(most, producer.bytesBuffered);
  });
  await Promise.all(sent);
  expect(most).toBeLessThanOrEqual(5000);
  expect(producer.bytesBuffered).toBe(0);
  expect(fake.values("t", 0)).toEqual(texts(300));
  const narrow = client.producer({ bufferBytesMax: 100, waitingMax: 3 });
  const results = await outcomes(numbered(10).map((message) => narrow.send(message)));
  const refused = results.filter((result) => result instanceof ClientError);
  expect(refused.length).toBe(5);
  expect((refused[0] as ClientError).code).toBe("OVERLOADED");
});

/** Faults that pass, of every kind, at random; at most so many in a row. */
function randomFaults(prng: Prng, fake: FakeCluster): void {
  let inRow = 0;
  fake.fault = (api, partition): Fault => {
    if (api !== "Produce" || inRow >= 4 || !prng.chance(2, 5)) {
      inRow = 0;
      return null;
    }
    inRow += 1;
    const kind = prng.below(6);
    if (kind === 0) return "close";
    if (kind === 1) return "close-after";
    if (kind === 2) {
      partition.leader = 1 - partition.leader;
      partition.leaderEpoch += 1;
      return null;
    }
    return prng.pick([
      ErrorCode.NOT_LEADER_OR_FOLLOWER,
      ErrorCode.NOT_ENOUGH_REPLICAS,
      ErrorCode.REQUEST_TIMED_OUT,
      ErrorCode.KAFKA_STORAGE_ERROR,
    ]);
  };
}

test("idempotent: each record once and in order, whatever fails on the way", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const prng = new Prng(seed);
    const { fake, client } = await start([0, 1, 0]);
    randomFaults(prng, fake);
    const producer = client.producer({ idempotent: true, batchBytes: 150, codec: "lz4" });
    const sent: Promise<Delivery>[] = [];
    for (let round = 0; round < 30; round += 1) {
      for (const partition of [0, 1, 2]) {
        const value = `${round}`;
        sent.push(producer.send({ topic: "t", partition, value }));
      }
      if (prng.chance(1, 3)) await Bun.sleep(1);
    }
    const results = await outcomes(sent);
    for (const partition of [0, 1, 2]) {
      expect(fake.values("t", partition), `seed ${seed}`).toEqual(texts(30));
    }
    const offsets = results.map((result) => (result as Delivery).offset);
    expect(offsets, `seed ${seed}`).toEqual(
      Array.from({ length: 90 }, (_, index) => Math.floor(index / 3)),
    );
  }
}, 600_000);

test("not idempotent: a repetition may double records, and never reorders them", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const prng = new Prng(seed);
    const { fake, client } = await start([0]);
    randomFaults(prng, fake);
    const producer = client.producer({ batchBytes: 150 });
    const results = await outcomes(numbered(40).map((message) => producer.send(message)));
    const values = fake.values("t", 0);
    for (const [index, result] of results.entries()) {
      expect(values[(result as Delivery).offset], `seed ${seed}`).toBe(`${index}`);
    }
    expect([...new Set(values)], `seed ${seed}`).toEqual(texts(40));
  }
}, 600_000);

test("a batch that is refused for good fails alone; those behind it arrive in order", async () => {
  const { fake, client } = await start([0]);
  let count = 0;
  fake.fault = (api): Fault => {
    if (api !== "Produce") return null;
    count += 1;
    return count === 2 ? ErrorCode.MESSAGE_TOO_LARGE : null;
  };
  const producer = client.producer({ idempotent: true, batchBytes: 100 });
  const sent: Promise<Delivery>[] = [];
  for (const message of numbered(10)) {
    sent.push(producer.send({ ...message, value: message.value.padEnd(60, " ") }));
  }
  const results = await outcomes(sent);
  const failed = results.flatMap((result, index) => (result instanceof Error ? [index] : []));
  expect(failed).toEqual([1]);
  expect((results[1] as BrokerError).errorName).toBe("MESSAGE_TOO_LARGE");
  const values = fake.values("t", 0).map((value) => value.trim());
  expect(values).toEqual(texts(10).filter((text) => text !== "1"));
});

test("without retries the first failure is the last", async () => {
  const { fake, client } = await start([0]);
  let calls = 0;
  fake.fault = (api): Fault => {
    if (api === "Produce") calls += 1;
    return ErrorCode.NOT_ENOUGH_REPLICAS;
  };
  const producer = client.producer({ retry: false });
  const [result] = await outcomes([producer.send({ topic: "t", partition: 0, value: "x" })]);
  expect((result as BrokerError).errorCode).toBe(ErrorCode.NOT_ENOUGH_REPLICAS);
  expect(calls).toBe(1);
});

test("what cannot be delivered in time says why", async () => {
  const { fake, client } = await start([0]);
  fake.fault = () => ErrorCode.NOT_ENOUGH_REPLICAS;
  const producer = client.producer({ deliveryTimeoutMs: 200 });
  const [result] = await outcomes([producer.send({ topic: "t", partition: 0, value: "x" })]);
  expect(String(result)).toContain("NOT_ENOUGH_REPLICAS");
  fake.fault = () => null;
  await producer.send({ topic: "t", partition: 0, value: "y" });
  expect(fake.values("t", 0)).toEqual(["y"]);
  fake.stop();
  const [gone] = await outcomes([producer.send({ topic: "t", partition: 0, value: "z" })]);
  expect((gone as ClientError).code).toBe("TIMED_OUT");
  expect((gone as ClientError).message).toContain("1 records for t-0 were not delivered");
});

test("a topic that does not exist, or a partition, is an error", async () => {
  const { client } = await start([0]);
  const producer = client.producer({ metadataTimeoutMs: 100 });
  const results = await outcomes([
    producer.send({ topic: "none", value: "x" }),
    producer.send({ topic: "t", partition: 7, value: "x" }),
  ]);
  expect(String(results[0])).toContain("topic none: UNKNOWN_TOPIC_OR_PARTITION");
  expect(String(results[1])).toContain("no partition t-7 (the topic has 1 partitions)");
  await producer.close();
  expect(producer.bytesBuffered).toBe(0);
});

test("records sent before the topic is known keep their order", async () => {
  const { fake, client } = await start([0]);
  const producer = client.producer();
  const early = numbered(5).map((message) => producer.send({ ...message, topic: "soon" }));
  await Bun.sleep(20);
  fake.topic("soon", [1]);
  const late = producer.send({ topic: "soon", partition: 0, value: "5" });
  await Promise.all([...early, late]);
  expect(fake.values("soon", 0)).toEqual(texts(6));
});

test("a connection that closes on every produce is not an endless loop", async () => {
  const { fake, client } = await start([0], 1);
  let calls = 0;
  fake.brokers[0]?.handle(produceApi, () => {
    calls += 1;
    return CLOSE;
  });
  const producer = client.producer({ deliveryTimeoutMs: 500 });
  const [result] = await outcomes([producer.send({ topic: "t", partition: 0, value: "x" })]);
  expect((result as ClientError).code).toMatch(/CLOSED|TIMED_OUT/);
  expect(calls).toBeLessThan(15);
});

test("closing flushes; aborting fails what waits", async () => {
  const { fake, client } = await start([0]);
  const closing = client.producer({ lingerMs: 60_000 });
  const sent = closing.send({ topic: "t", partition: 0, value: "a" });
  await closing.close();
  expect((await sent).offset).toBe(0);
  await expect(closing.send({ topic: "t", value: "b" })).rejects.toThrow("closed");
  const aborting = client.producer({ lingerMs: 60_000 });
  const results = outcomes(numbered(3).map((message) => aborting.send(message)));
  aborting.abort();
  for (const result of await results) expect((result as ClientError).code).toBe("CLOSED");
  expect(aborting.bytesBuffered).toBe(0);
  expect(fake.values("t", 0)).toEqual(["a"]);
});

test("options that contradict each other are refused", () => {
  const options: ProducerOptions = { idempotent: true, acks: 1 };
  const fake = new FakeCluster(1);
  closers.push(() => fake.stop());
  return Client.connect({ brokers: fake.addresses }).then((client) => {
    expect(() => client.producer(options)).toThrow('needs acks "all"');
    expect(() => client.producer({ codec: "brotli" as "gzip" })).toThrow('unknown codec "brotli"');
    return client.close();
  });
});

test("bytes made by hand go out as they are", async () => {
  const { fake, client } = await start([1]);
  const bad = encodeBatch([{ value: new Uint8Array(80) }]);
  bad[90] = 1;
  const answer = await produceBatch(client.cluster, "t", 0, bad);
  expect(answer.errorCode).toBe(ErrorCode.CORRUPT_MESSAGE);
  expect(fake.values("t", 0)).toEqual([]);
});
