import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, type Message } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { apacheKafkaUnavailable, runKafkaTool } from "./apache-kafka/index.ts";
import { randomBytes } from "./record-set.ts";

/** Apache's DumpLogSegments over the files of a broker of ours. */
const unavailable = await apacheKafkaUnavailable();

if (unavailable !== null) test.skip(`kafka-dump-log: ${unavailable}`, () => {});
else describe("kafka-dump-log", dumpTests);

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
/** Small, so that a few megabytes make several segments; the least that Kafka takes is 1 MiB. */
const SEGMENTS = { "segment.bytes": "1048576", "index.interval.bytes": "4096" };
/** What the tool says about files that it finds wrong. */
const COMPLAINT =
  /mismatch|corrupt|invalid|isvalid: false|Exception|out of order|Non-consecutive|incomplete/i;

/** 4.3 says so of the first record in every file but the first of a log, Apache's own included. */
const FALSE_ALARM = /^Non-consecutive offsets in .*\n {2}-1 is followed by \d+$/gm;

interface Dump {
  readonly text: string;
  /** Offsets of the records, in the order of the files. */
  readonly offsets: readonly number[];
  /** Codecs of the batches, each once. */
  readonly codecs: ReadonlySet<string>;
}

/** Segment and index files of a partition, by their base offset. */
function filesOf(directory: string, pattern = /\.(log|index|timeindex)$/): string[] {
  return readdirSync(directory)
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(directory, name));
}

/** Runs the tool over files and gives what it says, with its complaints apart. */
async function runDump(files: readonly string[], flags: readonly string[]) {
  const args = [...flags, "--files", files.join(",")];
  const { code, stdout, stderr } = await runKafkaTool("kafka-dump-log", args);
  const words = (stdout + stderr).replaceAll(FALSE_ALARM, "");
  const complaints = words.split("\n").filter((line) => COMPLAINT.test(line));
  return { code, stdout, stderr, complaints };
}

/** Runs the tool over files; fails where it has something to say about them. */
async function dump(files: readonly string[], flags: readonly string[] = []): Promise<Dump> {
  const { code, stdout, stderr, complaints } = await runDump(files, flags);
  expect(code, stderr).toBe(0);
  expect(complaints).toEqual([]);
  const offsets = [...stdout.matchAll(/^\| offset: (\d+) /gm)].map(([, offset]) => Number(offset));
  const codecs = new Set([...stdout.matchAll(/compresscodec: (\w+)/g)].map(([, codec]) => codec));
  return { text: stdout, offsets, codecs: codecs as Set<string> };
}

/** All that the tool can check about a partition. */
async function dumpPartition(directory: string): Promise<Dump> {
  const indexes = filesOf(directory, /\.(index|timeindex)$/);
  const whole = await dump(filesOf(directory), ["--deep-iteration"]);
  const sanity = await dump(indexes, ["--index-sanity-check"]);
  for (const file of indexes) expect(sanity.text).toContain(`${file} passed sanity check.`);
  return whole;
}

/** The tool has to cry over a damaged copy, or its silence would mean nothing. */
async function damagedCopyIsFound(directory: string): Promise<void> {
  using copy = temporaryFolder();
  cpSync(directory, copy.path, { recursive: true });
  for (const [pattern, at] of [
    [/\.log$/, 100],
    [/\.index$/, 7],
    [/\.timeindex$/, 7],
  ] as const) {
    const file = filesOf(copy.path, pattern)[0] as string;
    const bytes = readFileSync(file);
    bytes[at] = (bytes[at] as number) ^ 0x10;
    writeFileSync(file, bytes);
    const { code, complaints } = await runDump(filesOf(copy.path), ["--deep-iteration"]);
    expect(code !== 0 || complaints.length > 0, file).toBe(true);
    cpSync(directory, copy.path, { recursive: true });
  }
}

const countTo = (end: number): number[] => Array.from({ length: end }, (_, index) => index);

function dumpTests(): void {
  const folder = temporaryFolder();
  let broker: BrokerProcess;
  let client: Client;

  const start = async (): Promise<void> => {
    broker = await BrokerProcess.start({ dataDirectory: folder.path });
    client = await Client.connect({ brokers: broker.address });
  };

  beforeAll(start);

  afterAll(async () => {
    client?.abort();
    await broker?.stop();
    folder[Symbol.dispose]();
  });

  // Slices of noise, so that no codec makes much less of them.
  const noise = randomBytes(5, 200_000);
  const message = (topic: string, index: number): Message => {
    const at = (index * 997) % 190_000;
    return {
      ...{ topic, partition: 0, timestamp: Date.now() + index },
      key: `key ${index}`,
      value: index % 10 === 0 ? null : noise.subarray(at, at + 200 + ((index * 7) % 1800)),
      headers: index % 3 === 0 ? [{ key: "header", value: `${index}` }] : [],
    };
  };

  /** Stops the broker cleanly, looks at its files, and starts it again. */
  async function whileStopped(look: () => Promise<void>): Promise<void> {
    client.abort();
    expect(await broker.stop()).toBe(0);
    try {
      await look();
    } finally {
      await start();
    }
  }

  /** Writes with every codec in turn, in many batches. */
  async function fill(topic: string, count: number): Promise<void> {
    for (const [turn, codec] of CODECS.entries()) {
      const producer = client.producer({
        codec,
        idempotent: turn % 2 === 0,
        batchBytes: 20_000,
      });
      const messages = Array.from({ length: count }, (_, index) => message(topic, index));
      await producer.sendAll(messages);
      await producer.close();
    }
  }

  test("every codec, over rolled segments, after a clean stop", async () => {
    await client.admin.createTopic({ name: "codecs", partitions: 1, configs: SEGMENTS });
    const configs = { ...SEGMENTS, "message.timestamp.type": "LogAppendTime" };
    await client.admin.createTopic({ name: "appended", partitions: 1, configs });
    await fill("codecs", 900);
    await fill("appended", 200);
    const end = (await client.admin.listOffset("codecs", 0, "latest")).offset;
    expect(end).toBe(4500);
    await whileStopped(async () => {
      const codecs = join(folder.path, "codecs-0");
      expect(filesOf(codecs, /\.log$/).length).toBeGreaterThan(3);
      const dumped = await dumpPartition(codecs);
      expect(dumped.offsets).toEqual(countTo(4500));
      expect([...dumped.codecs].sort()).toEqual([...CODECS].sort());
      // The indexes are in use: entries beyond the first, in both kinds.
      expect(dumped.text).toMatch(/^offset: \d+ position: [1-9]/m);
      expect(dumped.text).toMatch(/^timestamp: \d{13} offset: [1-9]/m);
      await damagedCopyIsFound(codecs);
      const appended = await dumpPartition(join(folder.path, "appended-0"));
      expect(appended.offsets).toEqual(countTo(1000));
      expect(appended.text).toContain("LogAppendTime");
    });
  });

  test("after kill -9 under load, and a restart", async () => {
    await client.admin.createTopic({ name: "killed", partitions: 1, configs: SEGMENTS });
    const producer = client.producer({ codec: "lz4", idempotent: true, batchBytes: 20_000 });
    const messages = Array.from({ length: 3000 }, (_, index) => message("killed", index));
    await producer.sendAll(messages.slice(0, 1500));
    // What is under way when the process dies may be there or not; what came before must be.
    const rest = producer.sendAll(messages.slice(1500)).catch(() => []);
    await broker.kill();
    client.abort();
    await rest;
    await start();
    const { offset: end } = await client.admin.listOffset("killed", 0, "latest");
    expect(end).toBeGreaterThanOrEqual(1500);
    await client.producer({ codec: "zstd" }).sendAll(messages.slice(0, 10));
    await whileStopped(async () => {
      const dumped = await dumpPartition(join(folder.path, "killed-0"));
      expect(dumped.offsets).toEqual(countTo(end + 10));
    });
  });

  test("after DeleteRecords has moved the start", async () => {
    await client.admin.createTopic({ name: "trimmed", partitions: 1, configs: SEGMENTS });
    await fill("trimmed", 500);
    await client.admin.deleteRecords({ topic: "trimmed", partition: 0, offset: 1700 });
    await whileStopped(async () => {
      const { offsets } = await dumpPartition(join(folder.path, "trimmed-0"));
      const [first = 0] = offsets;
      expect(first).toBeLessThanOrEqual(1700);
      expect(offsets).toEqual(countTo(2500).slice(first));
    });
    expect((await client.admin.listOffset("trimmed", 0, "earliest")).offset).toBe(1700);
  });
}
