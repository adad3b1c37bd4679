import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@mantou/client";
import { type Io, MemoryDisk, addonVersion, openNativeIo, openPortableIo } from "@mantou/io";
import {
  ErrorCode,
  encodeBatch,
  findCoordinatorApi,
  initProducerIdApi,
  produceApi,
} from "@mantou/protocol";
import { type InProcessBroker, startInProcess } from "./in-process-broker.ts";

const WAIT_MS = 30_000;
setDefaultTimeout(2 * WAIT_MS);
const utf8 = new TextEncoder();
const text = new TextDecoder();

function nativeUnavailable(): string | null {
  try {
    addonVersion();
    return null;
  } catch (error) {
    return String(error).split("\n", 1)[0] as string;
  }
}

/** A machine whose brokers come and go. */
function machine(native: boolean): { settings: Record<string, string>; openIo: () => Io } {
  const settings = { "log.cleaner.backoff.ms": "20", "log.retention.check.interval.ms": "50" };
  if (!native) {
    const disk = new MemoryDisk();
    return { settings, openIo: () => openPortableIo({ disk }) };
  }
  const root = mkdtempSync(join(tmpdir(), "mantou-compaction-"));
  cleanups.push(() => rmSync(root, { recursive: true, force: true }));
  return {
    settings: { ...settings, "log.dirs": join(root, "data") },
    openIo: () => openNativeIo({ report: () => {} }),
  };
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await Bun.sleep(10);
  }
}

const client = (broker: InProcessBroker): Promise<Client> =>
  Client.connect({ brokers: `127.0.0.1:${broker.port}` });

let timestamp = Date.now() - 1_000_000;

async function put(
  broker: InProcessBroker,
  name: string,
  key: string | null,
  value: string | null,
): Promise<{ errorCode: number; errorMessage: string | null }> {
  // Two milliseconds later each time: with segment.ms=1 every batch begins a segment.
  timestamp += 2;
  const record = {
    key: key === null ? null : utf8.encode(key),
    value: value === null ? null : utf8.encode(value),
    timestamp,
  };
  const connection = await broker.connect();
  const { responses } = await connection.send(produceApi, 9, {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name, partitionData: [{ index: 0, records: encodeBatch([record]) }] }],
  });
  connection.close();
  const answer = responses[0]?.partitionResponses[0];
  return { errorCode: answer?.errorCode ?? -1, errorMessage: answer?.errorMessage ?? null };
}

/** "offset key=value" of everything that a consumer gets from the beginning to `end`. */
async function consume(connected: Client, topic: string, end: number): Promise<string[]> {
  const consumer = connected.consumer({ maxWaitMs: 50 });
  consumer.assign([{ topic, partition: 0 }]);
  const found: string[] = [];
  const show = (bytes: Uint8Array | null): string => (bytes === null ? "null" : text.decode(bytes));
  await until(`offset ${end} of ${topic}`, async () => {
    for (const record of await consumer.poll({ timeoutMs: 100 })) {
      found.push(`${record.offset} ${show(record.key)}=${show(record.value)}`);
    }
    return (consumer.position(topic, 0) ?? 0) >= end;
  });
  consumer.close();
  return found;
}

for (const native of [false, true]) {
  const unavailable = native ? nativeUnavailable() : null;
  const skipped = unavailable === null ? "" : ` (skipped: ${unavailable})`;
  const engine = native ? "native" : "portable";
  describe.skipIf(unavailable !== null)(`compaction, ${engine}${skipped}`, () => {
    test("a topic is compacted, read back, and known to be clean after a restart", async () => {
      const { settings, openIo } = machine(native);
      let broker = await startInProcess(settings, openIo);
      let connected = await client(broker);
      const configs = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0",
        "segment.ms": "1",
        "retention.ms": "1",
      };
      await connected.admin.createTopic({ name: "table", partitions: 1, configs });
      for (let round = 0; round < 6; round += 1) {
        for (const key of ["a", "b", `only ${round}`]) {
          expect((await put(broker, "table", key, `${round}`)).errorCode).toBe(ErrorCode.NONE);
        }
      }
      await put(broker, "table", "b", null);
      // The last batch is in the segment that is written to.
      const expected = ["15 a=5", "16 b=5", "18 b=null"];
      const wanted = (records: string[]): boolean =>
        records.filter((record) => / [ab]=/.test(record)).join() === expected.join();
      await until("only the newest of each key", async () =>
        wanted(await consume(connected, "table", 19)),
      );
      const before = await consume(connected, "table", 19);
      expect(before.filter((record) => record.includes("only"))).toHaveLength(6);
      expect(broker.broker.logs.stats().cleaner.runsTotal).toBeGreaterThan(0);
      // It is noted behind the run.
      const noted = async (): Promise<string> => {
        const bytes = await broker.broker.logs.getFile(null, "cleaner-offset-checkpoint");
        return bytes === null ? "" : text.decode(bytes);
      };
      await until("the note", async () => (await noted()) === "0\n1\ntable 0 18\n");
      connected.abort();
      await broker[Symbol.asyncDispose]();
      expect(broker.log.filter((line) => line.includes("fatal"))).toEqual([]);

      broker = await startInProcess(settings, openIo);
      connected = await client(broker);
      expect(await consume(connected, "table", 19)).toEqual(before);
      expect(await noted()).toBe("0\n1\ntable 0 18\n");
      // What is clean is not looked at again: a run begins where the last one ended.
      await put(broker, "table", "a", "6");
      await until("the next run", async () => {
        const records = await consume(connected, "table", 20);
        return records.filter((record) => record.includes(" b=")).join() === "18 b=null";
      });
      expect(broker.broker.logs.stats().cleaner.runsTotal).toBeGreaterThan(0);
      connected.abort();
      await broker[Symbol.asyncDispose]();
    });
  });
}

test("a record without key is refused where a key is needed", async () => {
  await using broker = await startInProcess();
  const connected = await client(broker);
  const compacted = { "cleanup.policy": "compact,delete" };
  await connected.admin.createTopic({ name: "table", partitions: 1, configs: compacted });
  await connected.admin.createTopic({ name: "plain", partitions: 1 });
  const refused = await put(broker, "table", null, "x");
  expect(refused.errorCode).toBe(ErrorCode.INVALID_RECORD);
  expect(refused.errorMessage).toContain("without key");
  expect((await put(broker, "table", "k", "x")).errorCode).toBe(ErrorCode.NONE);
  expect((await put(broker, "plain", null, "x")).errorCode).toBe(ErrorCode.NONE);
  connected.abort();
});

test("compact,delete does both; compact alone keeps what is old", async () => {
  const { settings, openIo } = machine(false);
  await using broker = await startInProcess(settings, openIo);
  const connected = await client(broker);
  const shared = { "segment.ms": "1", "retention.ms": "1" };
  for (const policy of ["compact", "compact,delete"]) {
    const configs = { ...shared, "cleanup.policy": policy };
    await connected.admin.createTopic({ name: policy.replace(",", "-"), partitions: 1, configs });
  }
  for (const name of ["compact", "compact-delete"]) {
    for (let round = 0; round < 5; round += 1) await put(broker, name, `k${round}`, "v");
  }
  const { logs, partitions, image } = broker.broker;
  const startOf = (name: string): number => {
    const { topicId } = image.topicByName(name) ?? {};
    const id = topicId === undefined ? -1 : broker.broker.logOf(topicId, 0);
    return id === -1 ? -1 : partitions.logStartOffset(id);
  };
  await until("old segments to go", () => startOf("compact-delete") === 5);
  await until("a run", () => logs.stats().cleaner.runsTotal > 0);
  expect(startOf("compact")).toBe(0);
  expect(await consume(connected, "compact", 5)).toHaveLength(5);
  connected.abort();
});

test("nothing is compacted while it is off, below the ratio, or too young", async () => {
  const { settings, openIo } = machine(false);
  await using broker = await startInProcess({ ...settings, "log.cleaner.enable": "false" }, openIo);
  const connected = await client(broker);
  const configs = { "cleanup.policy": "compact", "segment.ms": "1" };
  const topics: Record<string, Record<string, string>> = {
    young: { ...configs, "min.compaction.lag.ms": "9000000" },
    tidy: { ...configs, "min.cleanable.dirty.ratio": "1" },
    table: configs,
  };
  for (const [name, own] of Object.entries(topics)) {
    await connected.admin.createTopic({ name, partitions: 1, configs: own });
    for (let round = 0; round < 4; round += 1) await put(broker, name, "a", `${round}`);
  }
  const { logs } = broker.broker;
  expect(logs.stats().cleaner.runsTotal).toBe(0);
  const set = { "log.cleaner.enable": "true" };
  await connected.admin.alterConfigs({ type: "broker", name: "" }, { set });
  await until("the one that may be", () => logs.stats().cleaner.runsTotal > 0);
  expect(await consume(connected, "table", 4)).toEqual(["2 a=2", "3 a=3"]);
  expect(await consume(connected, "young", 4)).toHaveLength(4);
  expect(await consume(connected, "tidy", 4)).toHaveLength(4);
  expect(logs.stats().cleaner.runsTotal).toBe(1);
  connected.abort();
});

test("the coordinators' own topics are compacted, and read again after a restart", async () => {
  const { settings, openIo } = machine(false);
  const own = {
    ...settings,
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
  };
  let broker = await startInProcess(own, openIo);
  let connected = await client(broker);
  await connected.admin.createTopic({ name: "t", partitions: 2 });
  const commit = (offset: number): Promise<void> =>
    connected.groups.commit("readers", [
      { topic: "t", partition: 0, offset },
      { topic: "t", partition: 1, offset: offset * 2 },
    ]);
  const initialize = async (): Promise<number> => {
    const connection = await broker.connect();
    for (;;) {
      // Whoever asks for the coordinator has its topic created.
      await connection.send(findCoordinatorApi, 4, { keyType: 1, coordinatorKeys: ["writer"] });
      const answer = await connection.send(initProducerIdApi, 4, {
        transactionalId: "writer",
        transactionTimeoutMs: 60_000,
        producerId: -1,
        producerEpoch: -1,
      });
      if (answer.errorCode === ErrorCode.NONE) {
        connection.close();
        return answer.producerEpoch;
      }
      await Bun.sleep(10);
    }
  };
  await commit(1);
  await initialize();
  const topics = ["__consumer_offsets", "__transaction_state"];
  const set = { "segment.ms": "1", "min.cleanable.dirty.ratio": "0" };
  for (const name of topics) {
    const configs = await connected.admin.describeConfigs({ type: "topic", name });
    expect(configs.find((entry) => entry.name === "cleanup.policy")?.value).toBe("compact");
    await connected.admin.alterConfigs({ type: "topic", name }, { set });
  }
  const epochs: number[] = [];
  for (let round = 2; round <= 12; round += 1) {
    await commit(round);
    epochs.push(await initialize());
    // A segment ends when a record of a later millisecond comes.
    await Bun.sleep(3);
  }
  const cleaned = (topic: string): boolean =>
    broker.log.some((line) => {
      const runs = line.startsWith("info log_cleaned") && line.includes(`"topic":"${topic}"`);
      return runs && !line.includes('"recordsRemoved":0');
    });
  for (const topic of topics) await until(`${topic} to be cleaned`, () => cleaned(topic));
  connected.abort();
  await broker[Symbol.asyncDispose]();
  expect(broker.log.filter((line) => line.includes("fatal"))).toEqual([]);

  broker = await startInProcess(own, openIo);
  connected = await client(broker);
  let committed: readonly { partition: number; offset: number }[] = [];
  await until("the offsets", async () => {
    committed = await connected.groups.offsets("readers").catch(() => []);
    return committed.length > 0;
  });
  const offsets = committed.map(({ partition, offset }) => [partition, offset]).sort();
  expect(offsets).toEqual([
    [0, 12],
    [1, 24],
  ]);
  expect(await initialize()).toBe((epochs.at(-1) as number) + 1);
  connected.abort();
  await broker[Symbol.asyncDispose]();
});
