import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Uuid } from "@mantou/base";
import { Client, ClientError, Connection } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../../processes/broker-process.ts";
import { comparable, differences } from "./compare-answers.ts";
import { BATCHES, type Case, TOPICS, cases } from "./differential-cases.ts";
import { type ApacheKafka, apacheKafkaUnavailable, startApacheKafka } from "./index.ts";

/** Apache Kafka and ours get the same requests and have to give the same answers. */
const unavailable = await apacheKafkaUnavailable();

if (unavailable !== null) test.skip(`ours and Apache Kafka: ${unavailable}`, () => {});
else describe("ours and Apache Kafka answer alike", differentialTests);

/** Where we differ on purpose, or where it does not matter. */
const deviations: readonly (readonly [api: string, path: RegExp, why: string])[] = [
  ["Produce", /logStartOffset$/, "of a refused batch Kafka tells it, we do not"],
  ["Produce", /recordErrors/, "Kafka names the record of a wrong timestamp, we the batch"],
  ["CreateTopics", /configs/, "the lists of known settings differ"],
];

interface Answering {
  readonly name: string;
  readonly port: number;
  readonly client: Client;
  readonly ids: Record<string, Uuid>;
  connection: Connection;
}

async function answering(name: string, port: number): Promise<Answering> {
  const client = await Client.connect({ brokers: `127.0.0.1:${port}` });
  const ids: Record<string, Uuid> = {};
  const create = async (topic: string, partitions: number, configs: Record<string, string>) => {
    const made = { name: topic, partitions, replicationFactor: 1, configs };
    ids[topic] = (await client.admin.createTopic(made)).topicId;
  };
  for (const [topic, configs] of Object.entries(TOPICS)) await create(topic, 2, configs);
  await create(BATCHES.name, BATCHES.partitions, {});
  const at = (timestamp: number) => ({ topic: "one", partition: 0, value: "x", timestamp });
  await client.producer().sendAll([1000, 3000, 2000].map(at));
  // Apache Kafka tells a topic before it leads all its partitions, and has its first producer ids
  // a little later.
  for (let partition = 0; partition < BATCHES.partitions; partition += 1) {
    await client.admin.listOffset(BATCHES.name, partition, "latest");
  }
  await client.producer({ idempotent: true }).send({ topic: "real.a", value: "x" });
  const connection = await Connection.open({ host: "127.0.0.1", port });
  return { name, port, client, ids, connection };
}

/** One broker's answer in the form in which answers are compared. */
async function answerOf(side: Answering, one: Case, version: number): Promise<unknown> {
  if (!side.connection.isOpen) {
    side.connection = await Connection.open({ host: "127.0.0.1", port: side.port });
  }
  const request = one.request({ version, ids: side.ids });
  try {
    return comparable(await side.connection.send(one.api, version, request as never));
  } catch (error) {
    if (error instanceof ClientError && error.code === "CLOSED") return "closed";
    throw error;
  }
}

function differentialTests(): void {
  const folder = temporaryFolder();
  let kafka: ApacheKafka;
  let broker: BrokerProcess;
  let apache: Answering;
  let ours: Answering;

  beforeAll(async () => {
    kafka = await startApacheKafka();
    broker = await BrokerProcess.start({ dataDirectory: folder.path });
    apache = await answering("Apache Kafka", kafka.port);
    ours = await answering("mantou", broker.port);
  }, 120_000);

  afterAll(async () => {
    for (const side of [apache, ours]) {
      side?.connection.close();
      side?.client.abort();
    }
    await broker?.stop();
    await kafka?.stop({ kill: true });
    folder[Symbol.dispose]();
  }, 60_000);

  function versionsOf({ api, versions }: Case): readonly number[] {
    if (versions !== undefined) return versions;
    const ranges = [apache, ours].map((side) => side.connection.versions.range(api));
    const first = Math.max(api.minVersion, ...ranges.map((range) => range?.min ?? Infinity));
    const last = Math.min(api.maxVersion, ...ranges.map((range) => range?.max ?? -1));
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }

  const names = [...new Set(cases.map(({ api }) => api.name))];
  for (const api of names) {
    test(
      api,
      async () => {
        const found: string[] = [];
        let compared = 0;
        for (const one of cases.filter((each) => each.api.name === api)) {
          for (const version of versionsOf(one)) {
            const theirs = await answerOf(apache, one, version);
            const mine = await answerOf(ours, one, version);
            compared += 1;
            for (const [path, a, b] of differences(theirs, mine)) {
              if (deviations.some(([name, where]) => name === api && where.test(path))) continue;
              const values = `Apache ${JSON.stringify(a)}, ours ${JSON.stringify(b)}`;
              found.push(`${one.label}, version ${version}: ${path}: ${values}`);
            }
          }
        }
        expect(compared).toBeGreaterThan(0);
        expect(found).toEqual([]);
      },
      60_000,
    );
  }
}
