import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import {
  type DriverAnswer,
  type DriverCommand,
  type DriverRecord,
  type ForeignClient,
  type Installed,
  installConfluentKafka,
  installJavaClients,
  installKafkajs,
  installPlatformatic,
} from "./clients.ts";
import {
  LARGE_VALUE_BYTES,
  TOO_LARGE_VALUE_BYTES,
  randomBytes,
  record,
  recordSet,
} from "./record-set.ts";

/** Every client writes with every codec it has; the records are read back and compared. */
const folder = temporaryFolder();
let broker: BrokerProcess;
let ours: Client;

beforeAll(async () => {
  broker = await BrokerProcess.start({ dataDirectory: folder.path });
  ours = await Client.connect({ brokers: broker.address });
});

afterAll(async () => {
  ours.abort();
  await broker.stop();
  folder[Symbol.dispose]();
});

async function newTopic(configs: Record<string, string> = {}): Promise<string> {
  const name = `t-${crypto.randomUUID()}`;
  await ours.admin.createTopic({ name, partitions: 2, configs });
  return name;
}

const base64 = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString("base64");

type Read = Omit<DriverRecord, "partition"> & { readonly offset: number };

/** Reads a partition with our own client, CRC checked. */
async function readOurs(topic: string, partition: number, count: number): Promise<Read[]> {
  const consumer = ours.consumer({ partitionBytesMax: 8_000_000 });
  consumer.assign([{ topic, partition, from: 0 }]);
  const found: Read[] = [];
  const deadlineMs = performance.now() + 30_000;
  while (found.length < count && performance.now() < deadlineMs) {
    for (const one of await consumer.poll({ timeoutMs: 500 })) {
      found.push({
        offset: one.offset,
        timestamp: one.timestamp,
        key: base64(one.key),
        value: base64(one.value),
        headers: one.headers.map(({ key, value }) => [key, base64(value)] as const),
      });
    }
  }
  consumer.close();
  return found;
}

const expected = (records: readonly DriverRecord[]): Read[] =>
  records.map(({ timestamp, key, value, headers }, offset) => ({
    offset,
    timestamp,
    key,
    value,
    headers,
  }));

const installers: readonly (readonly [string, () => Promise<Installed>])[] = [
  ["Java", installJavaClients],
  ["librdkafka", installConfluentKafka],
  ["kafkajs", installKafkajs],
  ["@platformatic/kafka", installPlatformatic],
];

for (const [name, install] of installers) {
  const installed = await install();
  if ("skip" in installed) {
    test.skip(`${name}: ${installed.skip}`, () => {});
    continue;
  }
  describe(name, () => clientTests(installed.client));
}

function clientTests(client: ForeignClient): void {
  const now = Date.now();
  const run = (command: Omit<DriverCommand, "bootstrap">): Promise<DriverAnswer> =>
    client.run({ ...command, bootstrap: broker.address } as DriverCommand);

  for (const codec of client.codecs) {
    for (const [acks, idempotent] of [
      ["all", false],
      ["all", true],
      ["1", false],
    ] as const) {
      test(`${codec}, acks=${acks}${idempotent ? ", idempotent" : ""}`, async () => {
        const topic = await newTopic();
        const records = recordSet(1, now, 42, client.nullHeaders);
        const answer = await run({ op: "produce", topic, codec, acks, idempotent, records });
        expect(answer).toMatchObject({ ok: true });
        expect(answer.offsets).toEqual(records.map((_, index) => index));
        expect(await readOurs(topic, 1, records.length)).toEqual(expected(records));
        if (!client.consumes) return;
        const command = { op: "consume", topic, partition: 1, count: records.length } as const;
        const read = await run({ ...command, offset: 0 });
        expect(read.records).toEqual(expected(records));
        const tail = await run({ ...command, offset: 100, count: records.length - 100 });
        expect(tail.records).toEqual(expected(records).slice(100));
      });
    }
  }

  test("a record near the limit goes through, one over it is refused by name", async () => {
    const topic = await newTopic();
    const produce = {
      op: "produce",
      topic,
      codec: "none",
      acks: "all",
      idempotent: false,
    } as const;
    const value = (bytes: number) => Buffer.from(randomBytes(7, bytes)).toString("base64");
    const fits = [record(0, null, value(LARGE_VALUE_BYTES), now)];
    expect(await run({ ...produce, records: fits })).toMatchObject({ ok: true, offsets: [0] });
    expect(await readOurs(topic, 0, 1)).toEqual(expected(fits));
    const over = [record(0, null, value(TOO_LARGE_VALUE_BYTES), now)];
    const refused = await run({ ...produce, records: over });
    expect(refused.ok).toBe(false);
    expect(refused.error).toMatch(/MSG_SIZE_TOO_LARGE|RecordTooLarge|MESSAGE_TOO_LARGE/);
  });

  test("admin: create, add partitions, describe, delete", async () => {
    const topic = `admin-${crypto.randomUUID()}`;
    const answer = await run({ op: "admin", topic });
    expect(answer.ok).toBe(true);
    expect([2, 3]).toContain(answer["partitions"] as number);
    const names = (await ours.admin.listTopics()).map((entry) => entry.name);
    expect(names).not.toContain(topic);
  });

  if (!client.consumes) return;
  test("earliest, latest and by timestamp", async () => {
    const topic = await newTopic();
    const records = Array.from({ length: 50 }, (_, index) =>
      record(0, null, Buffer.from(`v${index}`).toString("base64"), now + index * 10),
    );
    const produce = { op: "produce", topic, codec: "lz4", acks: "all", idempotent: true } as const;
    await run({ ...produce, records });
    const found = await run({ op: "offsets", topic, partition: 0, timestamp: now + 245 });
    expect(found).toMatchObject({ ok: true, earliest: 0, latest: 50, atTimestamp: 25 });
  });
}
