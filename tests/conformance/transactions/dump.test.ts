import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Connection } from "@mantou/client";
import { ErrorCode } from "@mantou/protocol";
import {
  TransactionClient,
  createTopic,
} from "../../../packages/broker/tests/transactions/transaction-client.ts";
import { BrokerProcess, temporaryFolder } from "../../processes/broker-process.ts";
import { apacheKafkaUnavailable, javaCommand } from "../apache-kafka/index.ts";

const missing = await apacheKafkaUnavailable();

async function dump(...args: readonly string[]): Promise<string> {
  const tool = "org.apache.kafka.tools.DumpLogSegments";
  const command = await javaCommand(tool, [...args], { heap: "96m" });
  const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "pipe"] });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(errors.slice(-4000));
  return out;
}

/** One transaction of each end in each flow, and one that stays open. */
async function runTransactions(port: number): Promise<void> {
  const connection = await Connection.open({ host: "127.0.0.1", port });
  await createTopic(connection, "t");
  for (const flow of ["old", "new"] as const) {
    const client = new TransactionClient(connection, `id-${flow}`, flow);
    expect(await client.init()).toBe(ErrorCode.NONE);
    for (const isCommit of [true, false]) {
      if (flow === "old") expect(await client.add("t", [0])).toBe(ErrorCode.NONE);
      expect(await client.write("t", 0, [`${flow}-${isCommit}`])).toBe(ErrorCode.NONE);
      expect(await client.end(isCommit)).toBe(ErrorCode.NONE);
    }
    if (flow === "old") expect(await client.add("t", [0])).toBe(ErrorCode.NONE);
    expect(await client.write("t", 0, [`${flow}-open`])).toBe(ErrorCode.NONE);
  }
  connection.close();
}

test.skipIf(missing !== null)(
  `Apache's tool reads markers, producer snapshots and the transaction log${missing === null ? "" : ` (skipped: ${missing})`}`,
  async () => {
    using folder = temporaryFolder();
    const broker = await BrokerProcess.start({ dataDirectory: folder.path });
    try {
      await runTransactions(broker.port);
    } finally {
      expect(await broker.stop()).toBe(0);
    }
    const first = "00000000000000000000.log";
    const partition = join(folder.path, "t-0");
    const log = await dump("--print-data-log", "--files", join(partition, first));
    expect(log.match(/endTxnMarker: COMMIT/g)?.length).toBe(2);
    expect(log.match(/endTxnMarker: ABORT/g)?.length).toBe(2);
    expect(log).not.toContain("isvalid: false");
    const snapshot = readdirSync(partition).findLast((name) => name.endsWith(".snapshot")) ?? "";
    const producers = await dump("--files", join(partition, snapshot));
    expect(producers.match(/currentTxnFirstOffset: OptionalLong\[\d+\]/g)?.length).toBe(2);
    const stateLogs = readdirSync(folder.path).filter((name) =>
      name.startsWith("__transaction_state-"),
    );
    const files = stateLogs.map((name) => join(folder.path, name, first)).join(",");
    const states = await dump("--transaction-log-decoder", "--files", files);
    for (const id of ["id-old", "id-new"]) expect(states).toContain(`"transactionalId":"${id}"`);
    // Empty, Ongoing, both Prepare and both Complete: each was decoded.
    for (let status = 0; status <= 5; status += 1) {
      expect(states).toContain(`"transactionStatus":${status}`);
    }
  },
  180_000,
);
