import { describe, expect, test } from "bun:test";
import { Connection } from "@mantou/client";
import { encodeBatch, ErrorCode, listOffsetsApi, produceApi } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { runCli, startCli } from "./cli-process.ts";

const WAIT_MS = 60_000;
const TOPICS = Array.from({ length: 8 }, (_, index) => `busy-${index}`);
const PARTITIONS = Array.from({ length: 8 }, (_, index) => index);
/** The last versions that name topics. */
const PRODUCE_VERSION = 9;
const LIST_OFFSETS_VERSION = 6;
const LATEST = -1;

const connect = (port: number): Promise<Connection> => Connection.open({ host: "127.0.0.1", port });

/** Appends to every partition of a topic until the broker is gone; gives what was acknowledged. */
async function produceUntilGone(port: number, topic: string): Promise<number> {
  const connection = await connect(port);
  const records = encodeBatch([{ value: new TextEncoder().encode("x"), timestamp: Date.now() }]);
  let acknowledged = 0;
  try {
    for (;;) {
      const { responses } = await connection.send(produceApi, PRODUCE_VERSION, {
        acks: -1,
        timeoutMs: 30_000,
        topicData: [
          { name: topic, partitionData: PARTITIONS.map((index) => ({ index, records })) },
        ],
      });
      for (const { errorCode } of responses[0]?.partitionResponses ?? []) {
        if (errorCode === ErrorCode.NONE) acknowledged += 1;
      }
    }
  } catch {
    return acknowledged;
  } finally {
    connection.close();
  }
}

/** Records of all busy topics. */
async function countRecords(port: number): Promise<number> {
  const connection = await connect(port);
  const partitions = PARTITIONS.map((partitionIndex) => ({ partitionIndex, timestamp: LATEST }));
  const { topics } = await connection.send(listOffsetsApi, LIST_OFFSETS_VERSION, {
    replicaId: -1,
    topics: TOPICS.map((name) => ({ name, partitions })),
  });
  connection.close();
  let total = 0;
  for (const topic of topics) for (const { offset } of topic.partitions) total += offset;
  return total;
}

describe("SIGTERM", () => {
  test("with busy logs and parked consumers ends in order, and loses nothing", async () => {
    using folder = temporaryFolder();
    const broker = await BrokerProcess.start({ dataDirectory: folder.path });
    const { address } = broker;
    const create = ["topic", "create", "quiet", ...TOPICS, "-p", String(PARTITIONS.length)];
    expect((await runCli(address, create)).status).toBe(0);
    // It waits for records that never come.
    const consumer = startCli(address, ["consume", "quiet"]);
    const producing = TOPICS.map((topic) => produceUntilGone(broker.port, topic));
    const deadline = Date.now() + WAIT_MS;
    while ((await countRecords(broker.port)) < TOPICS.length * PARTITIONS.length * 10) {
      if (Date.now() > deadline) throw new Error("the producers do not get on");
    }
    const status = await broker.stop();
    const acknowledged = (await Promise.all(producing)).reduce((sum, count) => sum + count);
    expect([status, broker.log]).toEqual([0, expect.stringContaining("stopped")]);
    expect(acknowledged).toBeGreaterThan(0);
    consumer.kill();
    await using again = await BrokerProcess.start({
      dataDirectory: folder.path,
      flags: ["--admin-listen", "127.0.0.1:0"],
    });
    const url = /admin url=(\S+)/.exec(again.log)?.[1];
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain("\nmantou_start_clean 1\n");
    expect(await countRecords(again.port)).toBeGreaterThanOrEqual(acknowledged);
  }, 120_000);

  test("twice ends at once, with a status that is not 0", async () => {
    using folder = temporaryFolder();
    await using broker = await BrokerProcess.start({ dataDirectory: folder.path });
    // Both wait for it when it goes on, so that the stop cannot be over before the second.
    process.kill(broker.pid, "SIGSTOP");
    process.kill(broker.pid, "SIGTERM");
    process.kill(broker.pid, "SIGINT");
    process.kill(broker.pid, "SIGCONT");
    expect(await broker.exited).toBe(1);
    await broker.waitForLog(/stopped_at_once/, WAIT_MS).catch(() => {});
    expect(broker.log).toContain("stopped_at_once");
  });
});
