import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Client } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { readOurs } from "./reading.ts";
import { type KafkaTool, apacheKafkaUnavailable, runKafkaTool } from "./apache-kafka/index.ts";

/** Apache's command line tools against a broker of ours. */
const unavailable = await apacheKafkaUnavailable();

if (unavailable !== null) test.skip(`Apache's tools: ${unavailable}`, () => {});
else describe("Apache's tools", toolTests);

function toolTests(): void {
  const folder = temporaryFolder();
  let broker: BrokerProcess;
  let client: Client;

  beforeAll(async () => {
    broker = await BrokerProcess.start({ dataDirectory: folder.path });
    client = await Client.connect({ brokers: broker.address });
  });

  afterAll(async () => {
    client?.abort();
    await broker?.stop();
    folder[Symbol.dispose]();
  });

  async function tool(name: KafkaTool, args: string[], input = ""): Promise<string> {
    const where = ["--bootstrap-server", broker.address];
    // This one wants its verb first.
    const all = name === "kafka-cluster" ? [...args, ...where] : [...where, ...args];
    const { code, stdout, stderr } = await runKafkaTool(name, all, { input });
    expect(code, `${name} ${args.join(" ")}\n${stdout}\n${stderr}`).toBe(0);
    return stdout;
  }

  test("kafka-topics creates, lists, describes, alters, deletes", async () => {
    const create = ["--create", "--topic", "tools", "--partitions", "3"];
    expect(await tool("kafka-topics", create)).toContain("Created topic tools");
    expect(await tool("kafka-topics", ["--list"])).toContain("tools");
    const described = await tool("kafka-topics", ["--describe", "--topic", "tools"]);
    expect(described).toContain("PartitionCount: 3");
    await tool("kafka-topics", ["--alter", "--topic", "tools", "--partitions", "5"]);
    const again = await tool("kafka-topics", ["--describe", "--topic", "tools"]);
    expect(again).toContain("PartitionCount: 5");
    await tool("kafka-topics", ["--delete", "--topic", "tools"]);
    expect(await tool("kafka-topics", ["--list"])).not.toContain("tools");
  });

  test("kafka-configs sets and shows", async () => {
    await client.admin.createTopic({ name: "configs", partitions: 1 });
    const entity = ["--entity-type", "topics", "--entity-name", "configs"];
    await tool("kafka-configs", [...entity, "--alter", "--add-config", "retention.ms=12345678"]);
    const shown = await tool("kafka-configs", [...entity, "--describe"]);
    expect(shown).toContain("retention.ms=12345678");
    await tool("kafka-configs", [...entity, "--alter", "--delete-config", "retention.ms"]);
    expect(await tool("kafka-configs", [...entity, "--describe"])).not.toContain("12345678");
  });

  test("the console producer and consumer, by assignment", async () => {
    await client.admin.createTopic({ name: "console", partitions: 1 });
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
    await tool("kafka-console-producer", ["--topic", "console"], `${lines.join("\n")}\n`);
    const read = await tool("kafka-console-consumer", [
      ...["--topic", "console", "--partition", "0", "--offset", "earliest"],
      ...["--max-messages", "100", "--timeout-ms", "30000"],
    ]);
    expect(read.trim().split("\n")).toEqual(lines);
    const offsets = await tool("kafka-get-offsets", ["--topic", "console"]);
    expect(offsets.trim()).toBe("console:0:100");
  });

  test("kafka-delete-records, kafka-log-dirs, kafka-cluster, kafka-metadata-quorum", async () => {
    await client.admin.createTopic({ name: "deleted", partitions: 1 });
    await tool("kafka-console-producer", ["--topic", "deleted"], "a\nb\nc\nd\n");
    const plan = join(folder.path, "delete.json");
    const partitions = [{ topic: "deleted", partition: 0, offset: 2 }];
    await Bun.write(plan, JSON.stringify({ version: 1, partitions }));
    const deleted = await tool("kafka-delete-records", ["--offset-json-file", plan]);
    expect(deleted).toContain("low_watermark: 2");
    expect(await tool("kafka-log-dirs", ["--describe"])).toContain("deleted-0");
    expect(await tool("kafka-cluster", ["cluster-id"])).toMatch(/Cluster ID: [\w-]{22}/);
    const versions = await tool("kafka-broker-api-versions", []);
    expect(versions).toContain("Produce(0): 0 to 13");
    const quorum = await tool("kafka-metadata-quorum", ["describe", "--status"]);
    expect(quorum).toMatch(/LeaderId:\s+1\n/);
    const replicas = await tool("kafka-metadata-quorum", ["describe", "--replication"]);
    expect(replicas).toMatch(/^1\s.*Leader/m);
  });

  test("kafka-producer-perf-test, idempotent with acks=all", async () => {
    await client.admin.createTopic({ name: "perf", partitions: 3 });
    const { code, stdout, stderr } = await runKafkaTool("kafka-producer-perf-test", [
      ...["--topic", "perf", "--num-records", "20000", "--record-size", "1000"],
      ...["--throughput", "-1", "--producer-props", `bootstrap.servers=${broker.address}`],
      ...["acks=all", "compression.type=lz4"],
    ]);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain("20000 records sent");
    const ends = await Promise.all(
      [0, 1, 2].map((partition) => client.admin.listOffset("perf", partition, "latest")),
    );
    expect(ends.reduce((sum, end) => sum + end.offset, 0)).toBe(20_000);
  });

  test("kafka-verifiable-producer: each record acknowledged at an offset of its own", async () => {
    await client.admin.createTopic({ name: "verified", partitions: 2 });
    const output = await tool("kafka-verifiable-producer", [
      ...["--topic", "verified", "--max-messages", "1000", "--acks", "-1"],
    ]);
    const events = output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const acknowledged = events.filter(({ name }) => name === "producer_send_success");
    const places = new Set(acknowledged.map(({ partition, offset }) => `${partition}:${offset}`));
    expect(places.size).toBe(1000);
    const summary = events.find(({ name }) => name === "tool_data");
    expect(summary).toMatchObject({ sent: 1000, acked: 1000 });
  });

  test("a Java producer goes on over kill -9: nothing lost, doubled or reordered", async () => {
    await client.admin.createTopic({ name: "restarted", partitions: 1 });
    const config = join(folder.path, "producer.properties");
    // The tool turns retries off, and with them idempotence, where it is not told otherwise.
    await Bun.write(config, "retries=2147483647\nenable.idempotence=true\nlinger.ms=5\n");
    const count = 4000;
    const producing = tool("kafka-verifiable-producer", [
      ...["--topic", "restarted", "--max-messages", String(count), "--throughput", "1500"],
      ...["--acks", "-1", "--command-config", config],
    ]);
    const end = async () => (await client.admin.listOffset("restarted", 0, "latest")).offset;
    const deadlineMs = performance.now() + 30_000;
    while ((await end()) < 500 && performance.now() < deadlineMs) await Bun.sleep(10);
    const { port } = broker;
    await broker.kill();
    client.abort();
    broker = await BrokerProcess.start({ dataDirectory: folder.path, port });
    client = await Client.connect({ brokers: broker.address });
    expect(await end()).toBeLessThan(count);
    expect(await producing).toContain(`"acked":${count}`);
    const records = await readOurs(broker.address, "restarted", 0, count + 1, 3000);
    const values = records.map(({ value }) => Buffer.from(value ?? "", "base64").toString());
    expect(values).toEqual(Array.from({ length: count }, (_, index) => String(index)));
  });
}
