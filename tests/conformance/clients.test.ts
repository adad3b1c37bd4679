import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, Connection } from "@mantou/client";
import { type DecodedBatch, compressionName } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { type ForeignClient, clientFamilies } from "./clients.ts";
import type { DriverAnswer, DriverCommand, DriverRecord, ReadRecord } from "./driver-process.ts";
import { readBatches, readOurs } from "./reading.ts";
import {
  LARGE_VALUE_BYTES,
  TOO_LARGE_VALUE_BYTES,
  base64,
  longRecordSet,
  randomBytes,
  readsAs,
  record,
  recordSet,
} from "./record-set.ts";

/** Every client writes with every codec it has; it and we read back, and all is compared. */
const folder = temporaryFolder();
let broker: BrokerProcess;
let ours: Client;
let connection: Connection;

beforeAll(async () => {
  broker = await BrokerProcess.start({ dataDirectory: folder.path });
  ours = await Client.connect({ brokers: broker.address });
  connection = await Connection.open({ host: "127.0.0.1", port: broker.port });
});

const found = await Promise.all(
  clientFamilies.map(async ({ name, find }) => ({ name, found: await find() })),
);
const clients = new Map<string, ForeignClient>();
for (const { name, found: client } of found) {
  if ("skip" in client) test.skip(`${name}: ${client.skip}`, () => {});
  else clients.set(name, client);
}

afterAll(async () => {
  await Promise.all([...clients.values()].map((client) => client.close()));
  connection?.close();
  ours?.abort();
  await broker?.stop();
  folder[Symbol.dispose]();
});

async function newTopic(configs: Record<string, string> = {}): Promise<string> {
  const name = `t-${crypto.randomUUID()}`;
  await ours.admin.createTopic({ name, partitions: 2, configs });
  return name;
}

const codecName = ({ codec }: DecodedBatch): string => compressionName(codec);

type Order = Pick<DriverCommand, "op" | "topic"> & Readonly<Record<string, unknown>>;

const run = (client: ForeignClient, order: Order): Promise<DriverAnswer> =>
  client.run({ ...order, bootstrap: broker.address });

/** As `run`, and an error fails the test with its name. */
async function succeed(client: ForeignClient, order: Order): Promise<DriverAnswer> {
  const answer = await run(client, order);
  if (!answer.ok) throw new Error(`${order.op}: ${answer.error}`);
  return answer;
}

interface Produce {
  readonly topic: string;
  readonly records: readonly DriverRecord[];
  readonly codec?: string;
  readonly acks?: "all" | "1" | "0";
  readonly idempotent?: boolean;
}

const produce = (client: ForeignClient, what: Produce): Promise<DriverAnswer> =>
  succeed(client, { op: "produce", codec: "none", acks: "all", idempotent: false, ...what });

async function consume(
  client: ForeignClient,
  topic: string,
  partition: number,
  count: number,
  offset = 0,
): Promise<readonly ReadRecord[] | undefined> {
  const command = { op: "consume", topic, partition, count, offset } as const;
  return (await succeed(client, command)).records;
}

for (const [name, client] of clients) {
  describe(name, () => {
    codecTests(client);
    sizeTests(client);
    timeTests(client);
    adminTests(client);
  });
}
if (clients.size > 1) describe("every reader reads what every writer wrote", crossTests);

function codecTests(client: ForeignClient): void {
  const now = Date.now();
  for (const codec of client.codecs) {
    const modes = [
      ["all", false],
      ["all", true],
      ["1", false],
    ] as const;
    for (const [acks, idempotent] of modes) {
      test(`${codec}, acks=${acks}${idempotent ? ", idempotent" : ""}`, async () => {
        const topic = await newTopic();
        const records = recordSet(1, now, 42, client.nullHeaders);
        const answer = await produce(client, { topic, records, codec, acks, idempotent });
        expect(answer.offsets).toEqual(records.map((_, index) => index));
        const expected = readsAs(records, 1);
        expect(await readOurs(broker.address, topic, 1, records.length)).toEqual(expected);
        // A client that thinks it may not compress sends plain batches without a word.
        const batches = await readBatches(connection, topic, 1);
        expect(batches.map(codecName)).toEqual(batches.map(() => codec));
        expect(await consume(client, topic, 1, records.length)).toEqual(expected);
        const tail = await consume(client, topic, 1, records.length - 100, 100);
        expect(tail).toEqual(expected.slice(100));
      });
    }
  }

  test("a topic that looks into every record takes them all", async () => {
    const topic = await newTopic({ "mantou.validate.records": "true" });
    const sent: DriverRecord[] = [];
    for (const codec of client.codecs) {
      const records = recordSet(0, now, 46, client.nullHeaders);
      await produce(client, { topic, records, codec });
      sent.push(...records);
    }
    expect(await readOurs(broker.address, topic, 0, sent.length)).toEqual(readsAs(sent, 0));
  });

  test("acks=0", async () => {
    const topic = await newTopic();
    const records = recordSet(0, now, 43, client.nullHeaders);
    await produce(client, { topic, records, acks: "0" });
    expect(await readOurs(broker.address, topic, 0, records.length)).toEqual(readsAs(records, 0));
  });

  test("thousands of records keep their order, call after call", async () => {
    const topic = await newTopic();
    const records = longRecordSet(3000, now, 44);
    for (let from = 0; from < records.length; from += 1000) {
      const part = records.slice(from, from + 1000);
      await produce(client, { topic, records: part, codec: "gzip", idempotent: true });
    }
    for (const partition of [0, 1]) {
      const expected = readsAs(records, partition);
      expect(await readOurs(broker.address, topic, partition, 1500)).toEqual(expected);
      expect(await consume(client, topic, partition, 1500)).toEqual(expected);
    }
  });
}

function sizeTests(client: ForeignClient): void {
  const now = Date.now();
  const large = (bytes: number) => [record(0, null, base64(randomBytes(7, bytes)), now)];

  test("a record near the limit goes through, one over it is refused by name", async () => {
    const topic = await newTopic();
    const fits = large(LARGE_VALUE_BYTES);
    expect((await produce(client, { topic, records: fits })).offsets).toEqual([0]);
    expect(await readOurs(broker.address, topic, 0, 1)).toEqual(readsAs(fits, 0));
    expect(await consume(client, topic, 0, 1)).toEqual(readsAs(fits, 0));
    const order = { op: "produce", codec: "none", acks: "all", idempotent: false } as const;
    const refused = await run(client, { ...order, topic, records: large(TOO_LARGE_VALUE_BYTES) });
    expect(refused.ok).toBe(false);
    expect(refused.error).toMatch(/MSG_SIZE_TOO_LARGE|RecordTooLarge|MESSAGE_TOO_LARGE/);
    // The refusal leaves the partition as it was, and takes what comes next.
    expect((await produce(client, { topic, records: large(100) })).offsets).toEqual([1]);
  });

  test("the limit counts compressed bytes", async () => {
    const topic = await newTopic();
    const records = [record(0, null, base64(new Uint8Array(3_000_000).fill(97)), now)];
    await produce(client, { topic, records, codec: "gzip" });
    expect(await readOurs(broker.address, topic, 0, 1)).toEqual(readsAs(records, 0));
    expect(await consume(client, topic, 0, 1)).toEqual(readsAs(records, 0));
  });

  test("a topic with a higher limit takes a record of 6 MB", async () => {
    const topic = await newTopic({ "max.message.bytes": "7000000" });
    const tile = randomBytes(9, 60_000);
    const records = [record(0, null, base64(Buffer.alloc(6_000_000, tile)), now)];
    expect((await produce(client, { topic, records })).offsets).toEqual([0]);
    expect(await consume(client, topic, 0, 1)).toEqual(readsAs(records, 0));
  });
}

function timeTests(client: ForeignClient): void {
  test("earliest, latest and by timestamp", async () => {
    const topic = await newTopic();
    const now = Date.now();
    const records = Array.from({ length: 50 }, (_, index) =>
      record(0, null, base64(`v${index}`), now + index * 10),
    );
    await produce(client, { topic, records, codec: "gzip", idempotent: true });
    const at = { op: "offsets", topic, partition: 0 } as const;
    const answer = await succeed(client, { ...at, timestamp: now + 245 });
    expect(answer).toMatchObject({ earliest: 0, latest: 50, atTimestamp: 25 });
    expect(await succeed(client, { ...at, timestamp: now })).toMatchObject({ atTimestamp: 0 });
    const last = await succeed(client, { ...at, timestamp: now + 490 });
    expect(last).toMatchObject({ atTimestamp: 49 });
    const empty = await succeed(client, { ...at, partition: 1, timestamp: now });
    expect(empty).toMatchObject({ earliest: 0, latest: 0 });
  });

  test("a topic with the broker's time", async () => {
    const topic = await newTopic({ "message.timestamp.type": "LogAppendTime" });
    const before = Date.now();
    const records = [1, 2, 3].map((index) => record(0, null, base64(`v${index}`), index));
    const answer = await produce(client, { topic, records, codec: "gzip" });
    const read = await consume(client, topic, 0, 3);
    const first = read?.[0]?.timestamp ?? 0;
    expect(first).toBeGreaterThanOrEqual(before);
    expect(first).toBeLessThanOrEqual(Date.now());
    expect(read?.map(({ timestamp }) => timestamp)).toEqual([first, first, first]);
    if (answer.timestamps !== undefined) expect(answer.timestamps).toEqual([first, first, first]);
  });
}

function adminTests(client: ForeignClient): void {
  test("admin: create, describe, alter, add partitions, delete records, delete", async () => {
    const topic = `admin-${crypto.randomUUID()}`;
    const configs = ["retention.ms", "segment.bytes"];
    const describeTopic = { op: "describe", topic, configs } as const;
    const created = { "retention.ms": "3600000", "segment.bytes": "20000000" };
    await succeed(client, { op: "create", topic, partitions: 2, configs: created });
    const first = await succeed(client, describeTopic);
    expect(first).toMatchObject({ partitions: 2, configs: created, brokers: 1, listed: true });

    await succeed(client, { op: "alter", topic, configs: { "retention.ms": "7200000" } });
    const { configs: altered } = await succeed(client, describeTopic);
    const kept = client.altersIncrementally ? "20000000" : "1073741824";
    expect(altered as object).toEqual({ "retention.ms": "7200000", "segment.bytes": kept });

    await succeed(client, { op: "addPartitions", topic, count: 3 });
    expect(await succeed(client, describeTopic)).toMatchObject({ partitions: 3 });

    const records = recordSet(2, Date.now(), 45, client.nullHeaders);
    await produce(client, { topic, records });
    const deletion = { op: "deleteRecords", topic, partition: 2, offset: 20 } as const;
    expect(await succeed(client, deletion)).toMatchObject({ lowWatermark: 20 });
    const left = readsAs(records, 2).slice(20);
    expect(await consume(client, topic, 2, left.length, 20)).toEqual(left);

    await succeed(client, { op: "delete", topic });
    const names = (await ours.admin.listTopics()).map((entry) => entry.name);
    expect(names).not.toContain(topic);
  });

  test("admin: what is refused has Kafka's name", async () => {
    const topic = await newTopic();
    const create = { op: "create", partitions: 2, configs: {} } as const;
    const again = await run(client, { ...create, topic });
    expect(again.error).toMatch(/TOPIC_ALREADY_EXISTS|TopicExists/);
    const unnamed = await run(client, { ...create, topic: "no good name" });
    expect(unnamed.error).toMatch(/INVALID_TOPIC_EXCEPTION|TOPIC_EXCEPTION|InvalidTopic/);
    const configs = { "retention.ms": "soon" };
    const misfit = await run(client, { ...create, topic: "fine", configs });
    expect(misfit.error).toMatch(/INVALID_CONFIG|InvalidConfiguration/);
    const fewer = await run(client, { op: "addPartitions", topic, count: 1 });
    expect(fewer.error).toMatch(/INVALID_PARTITIONS|InvalidPartitions/);
    const missing = await run(client, { op: "delete", topic: "missing" });
    expect(missing.error).toMatch(/UNKNOWN_TOPIC_OR_PART|UnknownTopicOrPartition/);
  });
}

function crossTests(): void {
  const topic = "everything";
  const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
  /** One partition for each codec. */
  const expected = codecs.map((): ReadRecord[] => []);

  beforeAll(async () => {
    await ours.admin.createTopic({ name: topic, partitions: codecs.length });
    for (const client of clients.values()) {
      for (const codec of client.codecs) {
        const partition = codecs.indexOf(codec);
        const written = expected[partition] as ReadRecord[];
        const records = recordSet(partition, Date.now(), written.length, false);
        await produce(client, { topic, records, codec, idempotent: true });
        written.push(...readsAs(records, partition, written.length));
      }
    }
  });

  for (const [name, client] of clients) {
    for (const codec of client.codecs) {
      if (codec === "snappy" && !client.readsXerial) {
        test.skip(`${name}, ${codec}: it cannot read snappy as Java frames it`, () => {});
        continue;
      }
      test(`${name}, ${codec}`, async () => {
        const partition = codecs.indexOf(codec);
        const written = expected[partition] as ReadRecord[];
        expect(await consume(client, topic, partition, written.length)).toEqual(written);
      });
    }
  }
}
