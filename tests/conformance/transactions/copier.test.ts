import { afterAll, beforeAll, expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { Client } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../../processes/broker-process.ts";
import { apacheKafkaUnavailable, javaCommand } from "../apache-kafka/index.ts";
import { waitFor } from "../groups/wait-for.ts";
import { readCommitted } from "./read-committed.ts";

/**
 * Apache's TransactionalMessageCopier reads one topic and writes another, offsets and records in
 * one transaction each, while it and the broker are killed. The copy must equal the original.
 * MANTOU_LONG=1 runs 20 rounds.
 */
const ROUNDS = process.env["MANTOU_LONG"] === "1" ? 20 : 6;
const RECORDS_PER_ROUND = 3000;
const TEST_MS_MAX = ROUNDS * 60_000;
const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);
/** Another broker, such as Apache's, is not killed; the copier is. */
const elsewhere = process.env["MANTOU_OTHER_BROKER"];

const missing = await apacheKafkaUnavailable();
const folder = temporaryFolder();
let broker: BrokerProcess | null = null;
let bootstrap = elsewhere ?? "";

beforeAll(async () => {
  if (missing !== null || elsewhere !== undefined) return;
  broker = await BrokerProcess.start({ dataDirectory: folder.path });
  bootstrap = broker.address;
}, 60_000);

afterAll(async () => {
  await broker?.kill();
  folder[Symbol.dispose]();
});

const SOURCE = `source-${seed}`;
const TARGET = `target-${seed}`;

/** A copier in a process of its own; `copied` is what it says it has done. */
class Copier {
  copied = 0;
  private errors = "";
  private readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  private readonly reading: Promise<unknown>;

  private constructor(command: string[]) {
    this.child = Bun.spawn(command, { stdio: ["ignore", "pipe", "pipe"] });
    this.reading = Promise.all([this.pump(), this.keepErrors()]);
  }

  static async start(): Promise<Copier> {
    const args = ["--broker-list", bootstrap, "--consumer-group", `copiers-${seed}`];
    args.push("--input-topic", SOURCE, "--input-partition", "0", "--output-topic", TARGET);
    args.push("--transactional-id", `copier-${seed}`, "--transaction-size", "50");
    args.push("--transaction-timeout", "10000", "--use-group-metadata", "--enable-random-aborts");
    const tool = "org.apache.kafka.tools.TransactionalMessageCopier";
    return new Copier(await javaCommand(tool, args, { heap: "96m" }));
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get words(): string {
    return `copied ${this.copied}, ${this.isRunning ? "running" : `exited ${this.child.exitCode}`}\n${this.errors}`;
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    await this.reading;
  }

  private async pump(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("{")) this.copied = Number(JSON.parse(line).totalProcessed ?? 0);
      }
    }
  }

  private async keepErrors(): Promise<void> {
    this.errors = (await new Response(this.child.stderr).text()).slice(-4000);
  }
}

async function send(client: Client, from: number, count: number): Promise<void> {
  const producer = client.producer();
  const sends = Array.from({ length: count }, (_, index) =>
    producer.send({ topic: SOURCE, partition: 0, value: `${from + index}` }),
  );
  await Promise.all(sends);
  await producer.close();
}

async function restartBroker(): Promise<void> {
  if (broker === null) return;
  const { port } = broker;
  await broker.kill();
  broker = await BrokerProcess.start({ dataDirectory: folder.path, port });
}

const withClient = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
  const client = await Client.connect({ brokers: bootstrap });
  try {
    return await work(client);
  } finally {
    client.abort();
  }
};

test.skipIf(missing !== null)(
  `what a transactional copier copies while all around it dies equals its source, seed ${seed}${missing === null ? "" : ` (skipped: ${missing})`}`,
  async () => {
    const prng = new Prng(seed);
    await withClient(async (client) => {
      await client.admin.createTopic({ name: SOURCE, partitions: 1 });
      await client.admin.createTopic({ name: TARGET, partitions: 1 });
    });
    for (let round = 0; round < ROUNDS; round += 1) {
      await withClient((client) => send(client, round * RECORDS_PER_ROUND, RECORDS_PER_ROUND));
      const copier = await Copier.start();
      const enough = prng.below(RECORDS_PER_ROUND);
      await waitFor(
        () => copier.copied >= enough || !copier.isRunning,
        () => copier.words,
        120_000,
      );
      // The copier alone, the broker alone while it works, or both.
      const victim = prng.below(3);
      if (victim > 0) await restartBroker();
      if (victim !== 1) await copier.kill();
      else {
        await waitFor(
          () => !copier.isRunning,
          () => copier.words,
          120_000,
        );
      }
    }
    const total = ROUNDS * RECORDS_PER_ROUND;
    const group = `copiers-${seed}`;
    await withClient(async (client) => {
      const committed = async (): Promise<number> =>
        (await client.groups.offsets(group))[0]?.offset ?? 0;
      // A copier stops at the end that it saw; one that met a dying broker may have stopped before.
      for (let tries = 0; (await committed()) < total && tries < 5; tries += 1) {
        const copier = await Copier.start();
        await waitFor(
          () => !copier.isRunning,
          () => copier.words,
          120_000,
        );
      }
      expect(await committed()).toBe(total);
      const copy = await readCommitted(client, TARGET, 0);
      const expected = Array.from({ length: total }, (_, index) => `${index}`);
      expect(copy.length).toBe(total);
      expect(copy).toEqual(expected);
      const hanging = await client.transactions.producers(TARGET, 0);
      expect(hanging.filter((one) => one.currentTxnStartOffset >= 0)).toEqual([]);
    });
  },
  TEST_MS_MAX,
);
