import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { type KafkaTool, apacheKafkaUnavailable, runKafkaTool } from "./apache-kafka/index.ts";

/** Apache's console consumer in groups of both protocols, and its tools that look at groups. */
const unavailable = await apacheKafkaUnavailable();
/** A tool starts a virtual machine; on a busy machine that alone takes seconds. */
const TEST_MS_MAX = 240_000;

if (unavailable !== null) test.skip(`Apache's tools and groups: ${unavailable}`, () => {});
else describe("Apache's tools and groups", toolTests);

function toolTests(): void {
  const folder = temporaryFolder();
  let broker: BrokerProcess;
  let client: Client;

  beforeAll(async () => {
    broker = await BrokerProcess.start({
      dataDirectory: folder.path,
      environment: { MANTOU_GROUP_INITIAL_REBALANCE_DELAY_MS: "0" },
    });
    client = await Client.connect({ brokers: broker.address });
  });

  afterAll(async () => {
    client?.abort();
    await broker?.stop();
    folder[Symbol.dispose]();
  });

  async function tool(name: KafkaTool, args: string[], input = ""): Promise<string> {
    const all = ["--bootstrap-server", broker.address, ...args];
    const { code, stdout, stderr } = await runKafkaTool(name, all, { input, timeoutMs: 120_000 });
    expect(code, `${name} ${args.join(" ")}\n${stdout}\n${stderr}`).toBe(0);
    return stdout;
  }

  const lines = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `line ${from + index}`);

  async function produce(topic: string, values: readonly string[]): Promise<void> {
    await tool("kafka-console-producer", ["--topic", topic], `${values.join("\n")}\n`);
  }

  async function consume(topic: string, group: string, protocol: string, count: number) {
    const read = await tool("kafka-console-consumer", [
      ...["--topic", topic, "--group", group, "--max-messages", String(count)],
      ...["--timeout-ms", "60000", "--from-beginning"],
      ...["--command-property", `group.protocol=${protocol}`],
    ]);
    return read.trim().split("\n").sort();
  }

  for (const protocol of ["classic", "consumer"]) {
    test(
      `console consumer, ${protocol}: reads, commits, goes on where it was`,
      async () => {
        const topic = `read-${protocol}`;
        const group = `group-${protocol}`;
        await client.admin.createTopic({ name: topic, partitions: 3 });
        await produce(topic, lines(0, 40));
        expect(await consume(topic, group, protocol, 40)).toEqual(lines(0, 40).sort());
        await produce(topic, lines(100, 5));
        expect(await consume(topic, group, protocol, 5)).toEqual(lines(100, 5).sort());
        const listed = await tool("kafka-groups", ["--list"]);
        expect(listed).toMatch(new RegExp(`${group}\\s+${protocol}\\s+consumer`, "i"));
        const described = await tool("kafka-consumer-groups", ["--describe", "--group", group]);
        const lags = described.split("\n").filter((line) => line.startsWith(group));
        expect(lags.length).toBe(3);
        const ends = lags.map((line) => line.split(/\s+/).slice(1, 6));
        expect(ends.every(([, , committed, end, lag]) => committed === end && lag === "0")).toBe(
          true,
        );
      },
      TEST_MS_MAX,
    );
  }

  test(
    "kafka-consumer-groups lists states, resets offsets, deletes offsets and groups",
    async () => {
      const topic = "read-reset";
      const group = "group-reset";
      await client.admin.createTopic({ name: topic, partitions: 1 });
      await produce(topic, lines(0, 10));
      await consume(topic, group, "classic", 10);
      const all = await tool("kafka-consumer-groups", ["--list", "--state"]);
      expect(all).toMatch(new RegExp(`${group}\\s+Empty`, "i"));
      const reset = await tool("kafka-consumer-groups", [
        ...["--reset-offsets", "--group", group, "--topic", topic],
        ...["--to-offset", "4", "--execute"],
      ]);
      expect(reset).toMatch(new RegExp(`${group}\\s+${topic}\\s+0\\s+4`));
      expect(await consume(topic, group, "classic", 6)).toEqual(lines(4, 6).sort());
      const state = await tool("kafka-consumer-groups", [
        ...["--describe", "--group", group, "--state"],
      ]);
      expect(state).toMatch(/Empty/i);
      await tool("kafka-consumer-groups", [
        ...["--delete-offsets", "--group", group, "--topic", topic],
      ]);
      await tool("kafka-consumer-groups", ["--delete", "--group", group]);
      expect(await tool("kafka-consumer-groups", ["--list"])).not.toContain(group);
    },
    TEST_MS_MAX,
  );

  test(
    "the records of __consumer_offsets are Kafka's: its own formatter reads them",
    async () => {
      const topic = "read-format";
      await client.admin.createTopic({ name: topic, partitions: 1 });
      await produce(topic, lines(0, 3));
      await consume(topic, "group-format", "classic", 3);
      // Nothing ends the topic of offsets but the time without records.
      const format = (formatter: string) =>
        runKafkaTool("kafka-console-consumer", [
          ...["--bootstrap-server", broker.address, "--topic", "__consumer_offsets"],
          ...["--from-beginning", "--timeout-ms", "10000", "--formatter"],
          `org.apache.kafka.tools.consumer.${formatter}`,
        ]);
      const [offsets, groups] = await Promise.all([
        format("OffsetsMessageFormatter"),
        format("GroupMetadataMessageFormatter"),
      ]);
      expect(offsets.stdout).toContain('"group":"group-format"');
      expect(offsets.stdout).toContain('"offset":3');
      expect(groups.stdout).toContain('"protocolType":"consumer"');
    },
    TEST_MS_MAX,
  );

  test(
    "kafka-configs sets what a group is told",
    async () => {
      const entity = ["--entity-type", "groups", "--entity-name", "configured"];
      const setting = "consumer.session.timeout.ms=50000";
      await tool("kafka-configs", [...entity, "--alter", "--add-config", setting]);
      expect(await tool("kafka-configs", [...entity, "--describe"])).toContain(setting);
    },
    TEST_MS_MAX,
  );
}
