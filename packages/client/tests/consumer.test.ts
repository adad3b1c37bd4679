import { afterEach, expect, test } from "bun:test";
import {
  type BatchOptions,
  CompressionType,
  encodeBatch,
  ErrorCode,
  transactionMarker,
} from "@mantou/protocol";
import { Client } from "../src/client.ts";
import { codecs } from "../src/codecs.ts";
import type { ConsumedRecord } from "../src/consumer-partition.ts";
import type { BrokerError, ClientError } from "../src/errors.ts";
import { FakeCluster, type FakePartition, type Fault } from "./fake-cluster.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Setting {
  readonly fake: FakeCluster;
  readonly client: Client;
  readonly partitions: readonly FakePartition[];
}

async function start(
  leaders: readonly number[],
  maxVersions: Readonly<Record<string, number>> = {},
): Promise<Setting> {
  const fake = new FakeCluster(2, maxVersions);
  const partitions = fake.topic("t", leaders);
  const client = await Client.connect({ brokers: fake.addresses, retryTimeoutMs: 1000 });
  closers.push(
    () => client.abort(),
    () => fake.stop(),
  );
  return { fake, client, partitions };
}

const encoder = new TextEncoder();

/** Appends batches of so many records each; values count up from the partition's end. */
function fill(
  { fake, partitions }: Setting,
  index: number,
  sizes: readonly number[],
  options: BatchOptions = {},
): void {
  const partition = partitions[index] as FakePartition;
  for (const size of sizes) {
    const first = partition.endOffset;
    const records = Array.from({ length: size }, (_, at) => ({
      value: encoder.encode(`${first + at}`),
      timestamp: 1000 + first + at,
    }));
    fake.append(partition, encodeBatch(records, { codecs, ...options }));
  }
}

const texts = (records: readonly ConsumedRecord[]): string[] =>
  records.map((record) => new TextDecoder().decode(record.value ?? undefined));
const count = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `${from + index}`);

test("reads several partitions from several brokers, each in order", async () => {
  const setting = await start([0, 1, 0]);
  for (const codec of Object.values(CompressionType)) fill(setting, 0, [3, 4], { codec });
  fill(setting, 1, [5]);
  fill(setting, 2, [1, 1, 1]);
  const consumer = setting.client.consumer({ partitionBytesMax: 300 });
  consumer.assign([0, 1, 2].map((partition) => ({ topic: "t", partition })));
  const records = await consumer.read(43);
  const of = (partition: number): string[] =>
    texts(records.filter((record) => record.partition === partition));
  expect(of(0)).toEqual(count(0, 35));
  expect(of(1)).toEqual(count(0, 5));
  expect(of(2)).toEqual(count(0, 3));
  expect(records[0]).toMatchObject({ topic: "t", timestamp: 1000, key: null, leaderEpoch: 0 });
  expect(consumer.position("t", 0)).toBe(35);
  expect(await consumer.poll({ timeoutMs: 30 })).toEqual([]);
  expect(consumer.watermarks("t", 0)).toMatchObject({ highWatermark: 35, logStartOffset: 0 });
});

test("starts in the middle of a batch, at both ends, and after a seek", async () => {
  const setting = await start([0]);
  fill(setting, 0, [10, 10]);
  const consumer = setting.client.consumer();
  const from = (start: number | "earliest" | "latest") => [
    { topic: "t", partition: 0, from: start },
  ];
  consumer.assign(from(7));
  expect(consumer.position("t", 0)).toBe(7);
  expect(texts(await consumer.read(13))).toEqual(count(7, 20));
  consumer.assign(from("latest"));
  expect(consumer.position("t", 0)).toBe(null);
  expect(await consumer.poll({ timeoutMs: 50 })).toEqual([]);
  fill(setting, 0, [1]);
  expect(texts(await consumer.read(1))).toEqual(["20"]);
  consumer.seek("t", 0, 19);
  expect(texts(await consumer.read(2))).toEqual(["19", "20"]);
  consumer.seek("t", 0, { timestamp: 99_999 });
  expect(await consumer.poll({ timeoutMs: 50 })).toEqual([]);
  expect(consumer.position("t", 0)).toBe(21);
  expect(() => consumer.seek("t", 5, 0)).toThrow("t-5 is not assigned");
});

test("a seek drops what was fetched for the old place", async () => {
  const setting = await start([0]);
  fill(setting, 0, [10]);
  const consumer = setting.client.consumer();
  consumer.assign([{ topic: "t", partition: 0 }]);
  expect(texts(await consumer.poll({ recordsMax: 2 }))).toEqual(["0", "1"]);
  expect(consumer.position("t", 0)).toBe(2);
  consumer.seek("t", 0, 8);
  expect(texts(await consumer.read(2))).toEqual(["8", "9"]);
});

test("an offset that is not there is an error, or a new start", async () => {
  const setting = await start([0]);
  fill(setting, 0, [5]);
  const strict = setting.client.consumer();
  strict.assign([{ topic: "t", partition: 0, from: 99 }]);
  const error = await strict.poll().catch((failure: unknown) => failure);
  expect((error as BrokerError).errorName).toBe("OFFSET_OUT_OF_RANGE");
  const lenient = setting.client.consumer({ offsetReset: "earliest" });
  lenient.assign([{ topic: "t", partition: 0, from: 99 }]);
  expect(texts(await lenient.read(5))).toEqual(count(0, 5));
});

test("follows a moved leader and survives broken connections", async () => {
  const setting = await start([0]);
  const [partition] = setting.partitions as [FakePartition];
  fill(setting, 0, Array(30).fill(1));
  let calls = 0;
  setting.fake.fault = (api): Fault => {
    if (api !== "Fetch") return null;
    calls += 1;
    if (calls % 5 === 1) {
      partition.leader = 1 - partition.leader;
      partition.leaderEpoch += 1;
    }
    if (calls % 7 === 0) return "close";
    return calls % 11 === 0 ? ErrorCode.UNKNOWN_LEADER_EPOCH : null;
  };
  const consumer = setting.client.consumer({ partitionBytesMax: 1 });
  consumer.assign([{ topic: "t", partition: 0 }]);
  expect(texts(await consumer.read(30))).toEqual(count(0, 30));
  expect(calls).toBeGreaterThan(30);
});

test("aborted transactions are left out only where that is asked for", async () => {
  const setting = await start([0]);
  const { fake } = setting;
  const [partition] = setting.partitions as [FakePartition];
  const transactional = (producerId: number): BatchOptions => ({
    producerId,
    producerEpoch: 0,
    baseSequence: 0,
    transactional: true,
  });
  const mark = (producerId: number, committed: boolean): void => {
    const options = { ...transactional(producerId), baseSequence: -1, control: true };
    fake.append(partition, encodeBatch([transactionMarker(committed, 0)], options));
  };
  fill(setting, 0, [2], transactional(7)); // 0 1, committed
  fill(setting, 0, [2], transactional(8)); // 2 3, aborted
  fill(setting, 0, [1]); // 4, no transaction
  mark(7, true); // 5
  fill(setting, 0, [1], transactional(8)); // 6, aborted
  mark(8, false); // 7
  fill(setting, 0, [1], transactional(8)); // 8, committed
  mark(8, true); // 9
  partition.aborted = [{ producerId: 8, firstOffset: 2 }];
  const committed = setting.client.consumer({ isolation: "read_committed" });
  committed.assign([{ topic: "t", partition: 0 }]);
  expect(texts(await committed.read(4))).toEqual(["0", "1", "4", "8"]);
  expect(committed.position("t", 0)).toBe(10);
  const all = setting.client.consumer();
  all.assign([{ topic: "t", partition: 0 }]);
  expect(texts(await all.read(7))).toEqual(["0", "1", "2", "3", "4", "6", "8"]);
});

test("damaged bytes are an error that names the place, again and again", async () => {
  const setting = await start([0]);
  const [partition] = setting.partitions as [FakePartition];
  fill(setting, 0, [3, 3]);
  (partition.batches[1] as Uint8Array)[70] = 0xff;
  const consumer = setting.client.consumer({ partitionBytesMax: 1 });
  consumer.assign([{ topic: "t", partition: 0 }]);
  expect(texts(await consumer.read(3))).toEqual(count(0, 3));
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const error = await consumer.poll().catch((failure: unknown) => failure);
    expect((error as ClientError).code).toBe("MALFORMED");
    expect((error as ClientError).message).toContain("t-0 at offset 3");
  }
});

test("a bomb is an error", async () => {
  const setting = await start([0]);
  const [partition] = setting.partitions as [FakePartition];
  const records = [{ value: new Uint8Array(1_000_000) }];
  setting.fake.append(partition, encodeBatch(records, { codec: CompressionType.ZSTD, codecs }));
  const consumer = setting.client.consumer({ inflatedBytesMax: 10_000 });
  consumer.assign([{ topic: "t", partition: 0 }]);
  await expect(consumer.poll()).rejects.toThrow("inflates to more than 10000 bytes");
});

test("an unknown topic is an error once its time is up", async () => {
  const { client } = await start([0]);
  const consumer = client.consumer();
  consumer.assign([{ topic: "none", partition: 0 }]);
  await expect(consumer.poll({ timeoutMs: 5000 })).rejects.toThrow("UNKNOWN_TOPIC_OR_PARTITION");
});

test("brokers without topic ids, and the end of a batch that is cut off", async () => {
  const setting = await start([0], { Metadata: 8, Fetch: 4 });
  fill(setting, 0, [2, 2, 2]);
  const size = setting.partitions[0]?.batches[0]?.length ?? 0;
  const consumer = setting.client.consumer({ partitionBytesMax: size + 40 });
  consumer.assign([{ topic: "t", partition: 0 }]);
  expect(texts(await consumer.poll())).toEqual(["0", "1"]);
  expect(texts(await consumer.read(4))).toEqual(count(2, 6));
});

test("records come one by one from the iterator, until the consumer is closed", async () => {
  const setting = await start([0, 1]);
  fill(setting, 0, [2]);
  const consumer = setting.client.consumer();
  consumer.assign([{ topic: "t", partition: 0 }]);
  const got: string[] = [];
  for await (const record of consumer) {
    got.push(...texts([record]));
    if (got.length === 2) fill(setting, 0, [1]);
    if (got.length === 3) break;
  }
  expect(got).toEqual(count(0, 3));
  const waiting = consumer.poll({ timeoutMs: 5000 });
  consumer.close();
  await expect(waiting).rejects.toThrow("the consumer is closed");
});

test("fewer records than wanted is an error with both numbers", async () => {
  const setting = await start([0]);
  fill(setting, 0, [2]);
  const consumer = setting.client.consumer();
  consumer.assign([{ topic: "t", partition: 0 }]);
  await expect(consumer.read(3, 2000)).rejects.toThrow("2 of 3 records came within 2000 ms");
});
