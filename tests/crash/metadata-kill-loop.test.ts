import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { Prng } from "@mantou/base";
import { BrokerError, Client } from "@mantou/client";
import { ErrorCode } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { PartitionProbe } from "./partition-probe.ts";

/**
 * kill -9 in a loop while topics are created, grown, changed and deleted: what was answered holds.
 * MANTOU_LONG=1 runs 100 rounds. MANTOU_SEED repeats a run's choices (not its timing).
 */
const ROUNDS = process.env["MANTOU_LONG"] === "1" ? 100 : 5;
const WORKERS = 3;
const WAIT_MS = 30_000;
/** DescribeConfigs: set for the topic itself. */
const TOPIC_SOURCE = 1;
const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);

/** What a worker was told about a topic that only it touches. A set: any of these may hold. */
interface Told {
  readonly name: string;
  exists: readonly boolean[];
  partitions: readonly number[];
  retention: readonly (string | null)[];
  /** Whether its one record was acknowledged. */
  hasRecord: boolean;
}

const errorCodeOf = (error: unknown): number | null =>
  error instanceof BrokerError ? error.errorCode : null;

/**
 * Tries until somebody answers; an answer to a repetition may say that the first try has worked.
 * False: nobody knows, since the run is over.
 */
async function answered(
  call: () => Promise<unknown>,
  alreadyDone: number,
  stop: AbortSignal,
): Promise<boolean> {
  while (!stop.aborted) {
    try {
      await call();
      return true;
    } catch (error) {
      if (errorCodeOf(error) === alreadyDone) return true;
      if (error instanceof BrokerError && !error.retriable) throw error;
      await Bun.sleep(5);
    }
  }
  return false;
}

/** The life of one topic, as far as chance lets it come. */
async function liveTopic(client: Client, told: Told, prng: Prng, stop: AbortSignal): Promise<void> {
  const { admin } = client;
  const { name } = told;
  told.exists = [true, false];
  const create = () => admin.createTopic({ name, partitions: 1 });
  if (!(await answered(create, ErrorCode.TOPIC_ALREADY_EXISTS, stop))) return;
  told.exists = [true];
  const probe = new PartitionProbe(client, name);
  const produce = async (): Promise<void> => {
    const { errorCode } = await probe.produce([name]);
    if (errorCode !== ErrorCode.NONE) throw new Error(`produce: ${errorCode}`);
  };
  if (prng.chance(1, 2) && (await answered(produce, -2, stop))) told.hasRecord = true;
  if (prng.chance(1, 3)) {
    told.partitions = [1, 3];
    const grow = () => admin.createPartitions(name, 3);
    if (!(await answered(grow, ErrorCode.INVALID_PARTITIONS, stop))) return;
    told.partitions = [3];
  }
  if (prng.chance(1, 3)) {
    told.retention = [null, "86400000"];
    const change = () =>
      admin.alterConfigs({ type: "topic", name }, { set: { "retention.ms": "86400000" } });
    if (!(await answered(change, -2, stop))) return;
    told.retention = ["86400000"];
  }
  if (prng.chance(1, 2)) {
    told.exists = [true, false];
    const remove = () => admin.deleteTopic(name);
    if (!(await answered(remove, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, stop))) return;
    told.exists = [false];
  }
}

/** Holds one topic against what was told about it. */
async function check(client: Client, told: Told, faults: string[]): Promise<void> {
  const { name } = told;
  const metadata = await client.admin.metadata([name]);
  const [topic] = metadata.topics;
  const exists = topic !== undefined;
  if (!told.exists.includes(exists)) faults.push(`${name} exists: ${exists}, told ${told.exists}`);
  if (!exists) return;
  if (!told.partitions.includes(topic.partitions.length)) {
    faults.push(`${name} has ${topic.partitions.length} partitions, told ${told.partitions}`);
  }
  const entries = await client.admin.describeConfigs({ type: "topic", name });
  const retention = entries.find((entry) => entry.name === "retention.ms");
  const value = retention?.configSource === TOPIC_SOURCE ? retention.value : null;
  if (!told.retention.includes(value)) {
    faults.push(`${name} has retention.ms=${value}, told ${told.retention}`);
  }
  if (!told.hasRecord) return;
  const [record] = (await new PartitionProbe(client, name).fetch(0)).records;
  if (record?.value !== name) faults.push(`${name} has lost its record`);
}

test(
  `answered changes of the metadata survive kill -9 (seed ${seed})`,
  async () => {
    using folder = temporaryFolder();
    const prng = new Prng(seed);
    const options = { dataDirectory: folder.path };
    await using stack = new AsyncDisposableStack();
    let broker = await BrokerProcess.start(options);
    stack.defer(() => broker.kill());
    const { port } = broker;
    const client = await Client.connect({ brokers: broker.address });
    stack.defer(() => client.abort());
    const stop = new AbortController();
    stack.defer(() => stop.abort());
    const topics: Told[] = [];
    const progress = { finished: 0 };
    const workers = Array.from({ length: WORKERS }, async (_, worker) => {
      const choices = new Prng(seed ^ (worker + 1));
      for (let number = 0; !stop.signal.aborted; number += 1) {
        const told: Told = {
          name: `topic-${worker}-${number}`,
          exists: [false],
          partitions: [1],
          retention: [null],
          hasRecord: false,
        };
        topics.push(told);
        await liveTopic(client, told, choices, stop.signal);
        progress.finished += 1;
      }
    });
    const failed = Promise.all(workers).then(() => null, String);
    for (let round = 0; round < ROUNDS; round += 1) {
      const target = progress.finished + 3 + prng.below(20);
      const deadlineMs = performance.now() + WAIT_MS;
      while (progress.finished < target) {
        if (!broker.isRunning) throw new Error(`the broker ended by itself:\n${broker.log}`);
        if (performance.now() > deadlineMs) throw new Error(`no progress:\n${broker.log}`);
        await Bun.sleep(2);
      }
      await broker.kill();
      broker = await BrokerProcess.start({ ...options, port });
    }
    stop.abort();
    expect(await failed).toBeNull();
    const faults: string[] = [];
    for (const told of topics) await check(client, told, faults);
    expect(faults, `seed ${seed}`).toEqual([]);
    const names = new Set((await client.admin.listTopics()).map((topic) => topic.name));
    await client.close();
    expect(await broker.stop()).toBe(0);
    console.log(`metadata kill loop: ${ROUNDS} rounds, ${topics.length} topics, seed ${seed}`);
    // No folder speaks of a topic that is gone, but for those that wait to be deleted.
    for (const entry of readdirSync(folder.path)) {
      const [, topic] = /^(topic-\d+-\d+)-\d+$/.exec(entry) ?? [];
      if (topic !== undefined && !names.has(topic)) throw new Error(`${entry} is left behind`);
    }
  },
  ROUNDS * 60_000,
);
