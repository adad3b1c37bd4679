import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Prng } from "@mantou/base";
import { Client } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../../processes/broker-process.ts";
import { waitFor } from "../groups/wait-for.ts";
import { installStreams } from "../installations.ts";
import { readCounts } from "./read-committed.ts";

/**
 * A Kafka Streams application with exactly_once_v2 counts words while it and the broker are
 * killed. It writes every count: for each word 1, 2, 3, … to the number of its occurrences.
 * MANTOU_LONG=1 runs 20 rounds.
 */
const ROUNDS = process.env["MANTOU_LONG"] === "1" ? 20 : 4;
const LINES_PER_ROUND = 300;
const WORDS = ["rice", "bean", "leek", "salt", "bun", "tea", "oil", "egg"];
const PARTITIONS = 2;
const WAIT_MS = 120_000;
const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);
/** Another broker, such as Apache's, is not killed; the application is. */
const elsewhere = process.env["MANTOU_OTHER_BROKER"];

const installation = await installStreams();
const skip = "skip" in installation ? installation.skip : null;
const folder = temporaryFolder();
let broker: BrokerProcess | null = null;
let bootstrap = elsewhere ?? "";

const flags = ["--set", "group.initial.rebalance.delay.ms=0"];
const dataDirectory = join(folder.path, "broker");

beforeAll(async () => {
  if (skip !== null || elsewhere !== undefined) return;
  broker = await BrokerProcess.start({ dataDirectory, flags });
  bootstrap = broker.address;
}, 60_000);

afterAll(async () => {
  await broker?.kill();
  folder[Symbol.dispose]();
});

const INPUT = `lines-${seed}`;
const OUTPUT = `counts-${seed}`;

/** The application in a process of its own, with the state that its predecessor has left. */
class Application {
  private errors = "";
  private readonly child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  private readonly reading: Promise<void>;

  constructor() {
    if ("skip" in installation) throw new Error(installation.skip);
    const classPath = `${installation.folder}:${installation.jars}`;
    const java = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";
    const args = [bootstrap, `words-${seed}`, INPUT, OUTPUT, join(folder.path, "state")];
    this.child = Bun.spawn([...java, quiet, "-cp", classPath, "StreamsWordCount", ...args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.reading = new Response(this.child.stderr).text().then((text) => {
      this.errors = text.slice(-4000);
    });
  }

  async kill(): Promise<string> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    await this.reading;
    return this.errors;
  }
}

/** Sends random lines and counts their words. */
async function sendLines(client: Client, prng: Prng, model: Map<string, number>): Promise<void> {
  const producer = client.producer();
  const sends = [];
  for (let line = 0; line < LINES_PER_ROUND; line += 1) {
    const words = Array.from({ length: 3 }, () => WORDS[prng.below(WORDS.length)] as string);
    for (const word of words) model.set(word, (model.get(word) ?? 0) + 1);
    sends.push(
      producer.send({ topic: INPUT, partition: line % PARTITIONS, value: words.join(" ") }),
    );
  }
  await Promise.all(sends);
  await producer.close();
}

const withClient = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
  const client = await Client.connect({ brokers: bootstrap });
  try {
    return await work(client);
  } finally {
    client.abort();
  }
};

const total = (counts: ReadonlyMap<string, readonly number[]>): number =>
  [...counts.values()].reduce((sum, list) => sum + list.length, 0);

test.skipIf(skip !== null)(
  `Kafka Streams counts each word once while all around it dies, seed ${seed}${skip === null ? "" : ` (skipped: ${skip})`}`,
  async () => {
    const prng = new Prng(seed);
    const model = new Map<string, number>();
    await withClient(async (client) => {
      await client.admin.createTopic({ name: INPUT, partitions: PARTITIONS });
      await client.admin.createTopic({ name: OUTPUT, partitions: PARTITIONS });
    });
    let application = new Application();
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = round * LINES_PER_ROUND * 3;
        await withClient((client) => sendLines(client, prng, model));
        const enough = before + prng.below(LINES_PER_ROUND * 2);
        await waitFor(
          () => withClient(async (client) => total(await readCounts(client, OUTPUT)) >= enough),
          () => `round ${round}: the counts do not get on`,
          WAIT_MS,
        );
        const victim = prng.below(3);
        if (victim > 0 && broker !== null) {
          const { port } = broker;
          await broker.kill();
          broker = await BrokerProcess.start({ dataDirectory, flags, port });
        }
        if (victim !== 1) {
          await application.kill();
          application = new Application();
        }
      }
      const words = ROUNDS * LINES_PER_ROUND * 3;
      await waitFor(
        () => withClient(async (client) => total(await readCounts(client, OUTPUT)) >= words),
        () => "the counts do not come to their end",
        WAIT_MS,
      );
    } finally {
      const errors = await application.kill();
      if (errors !== "") console.log(`the application's last words:\n${errors.slice(0, 2000)}`);
    }
    const counts = await withClient((client) => readCounts(client, OUTPUT));
    for (const [word, count] of model) {
      const expected = Array.from({ length: count }, (_, index) => index + 1);
      expect(counts.get(word), word).toEqual(expected);
    }
  },
  ROUNDS * 120_000,
);
