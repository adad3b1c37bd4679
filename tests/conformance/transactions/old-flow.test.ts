import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Client } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../../processes/broker-process.ts";
import { driversFolder } from "../driver-process.ts";
import type { Installation } from "../installations.ts";
import { installConfluentKafka, installNodeClients } from "../installations.ts";
import { readCommitted } from "./read-committed.ts";

/** Clients that know the flow of KIP-98 only: partitions are added, and verified by the leader. */
interface Family {
  readonly name: string;
  readonly install: () => Promise<Installation>;
  readonly command: readonly string[];
}

const families: readonly Family[] = [
  {
    name: "librdkafka (confluent-kafka)",
    install: installConfluentKafka,
    command: ["python3", join(driversFolder, "confluent_transactions.py")],
  },
  {
    name: "kafkajs",
    install: installNodeClients,
    command: ["node", "kafkajs-transactions.mjs"],
  },
];

const COUNT = 30;
const folder = temporaryFolder();
let broker: BrokerProcess;

beforeAll(async () => {
  broker = await BrokerProcess.start({ dataDirectory: folder.path });
}, 60_000);

afterAll(async () => {
  await broker?.stop();
  folder[Symbol.dispose]();
});

const found = await Promise.all(
  families.map(async (family) => ({ family, installation: await family.install() })),
);

async function run(command: readonly string[], cwd: string, order: object): Promise<unknown> {
  const child = Bun.spawn([...command, JSON.stringify(order)], {
    cwd,
    env: { ...process.env, PYTHONPATH: cwd, PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 120_000,
  });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: ${errors.slice(-4000)}`);
  return JSON.parse(out);
}

for (const { family, installation } of found) {
  const { command, name } = family;
  const missing =
    "skip" in installation
      ? installation.skip
      : Bun.which(command[0] as string) === null
        ? `${command[0]} is not installed`
        : null;
  test.skipIf(missing !== null)(
    `${name}: transactions with offsets, aborts and a fenced producer${missing === null ? "" : ` (skipped: ${missing})`}`,
    async () => {
      if ("skip" in installation) return;
      const client = await Client.connect({ brokers: broker.address });
      const topic = `old-${command[0]}`;
      await client.admin.createTopic({ name: topic, partitions: 2 });
      const order = { bootstrap: broker.address, topic, group: `group-${topic}`, count: COUNT };
      const answer = await run(command, installation.folder, order);
      const last = COUNT - (COUNT % 3 === 0 ? 2 : 1);
      expect(answer).toEqual({ fenced: true, offset: last });
      const committed = Array.from({ length: COUNT }, (_, index) => index).filter(
        (index) => index % 3 !== 2,
      );
      for (const partition of [0, 1]) {
        const expected = committed.map((index) => `committed-${index}-${partition}`);
        if (partition === 0) expected.push("committed-last");
        expect(await readCommitted(client, topic, partition)).toEqual(expected);
      }
      client.abort();
    },
    180_000,
  );
}
