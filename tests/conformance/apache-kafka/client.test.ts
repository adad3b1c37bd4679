import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, type Delivery } from "@mantou/client";
import {
  type ApacheKafka,
  apacheKafkaUnavailable,
  runKafkaTool,
  startApacheKafka,
} from "./index.ts";

const missing = await apacheKafkaUnavailable();

/** Our client against the broker that it has to agree with. */
if (missing !== null) test.skip(`our client and Apache Kafka: ${missing}`, () => {});
else
  describe("our client and Apache Kafka", () => {
    let kafka: ApacheKafka;
    let client: Client;
    let bootstrap: string[];

    beforeAll(async () => {
      kafka = await startApacheKafka();
      bootstrap = ["--bootstrap-server", `${kafka.host}:${kafka.port}`];
      client = await Client.connect({ brokers: `${kafka.host}:${kafka.port}` });
    }, 300_000);

    afterAll(async () => {
      client?.abort();
      await kafka?.stop({ kill: true });
    }, 60_000);

    test("topics and configs, seen from both sides", async () => {
      await client.admin.createTopic({ name: "made", partitions: 3, replicationFactor: 1 });
      await client.admin.alterConfigs(
        { type: "topic", name: "made" },
        { set: { "retention.ms": "1234567" } },
      );
      await client.admin.createPartitions("made", 4);
      const shown = await runKafkaTool("kafka-topics", [
        ...bootstrap,
        "--describe",
        "--topic",
        "made",
      ]);
      expect(shown.stdout).toContain("PartitionCount: 4");
      expect(shown.stdout).toContain("retention.ms=1234567");
      await client.admin.deleteTopic("made");
      await expect(client.admin.describeTopic("made")).rejects.toThrow(
        "UNKNOWN_TOPIC_OR_PARTITION",
      );
    }, 60_000);

    test("records with every codec, read by Apache's consumer and by ours", async () => {
      await client.admin.createTopic({ name: "codecs", partitions: 1, replicationFactor: 1 });
      const sent: Delivery[] = [];
      for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
        for (const idempotent of [false, true]) {
          const producer = client.producer({ codec, idempotent });
          const messages = Array.from({ length: 50 }, (_, index) => ({
            topic: "codecs",
            partition: 0,
            key: index % 7 === 0 ? null : `k${index}`,
            value: `${codec} ${idempotent} ${index} ${"x".repeat(index * 20)}`,
            headers: [{ key: "h", value: index % 2 === 0 ? null : `v${index}` }],
          }));
          sent.push(...(await producer.sendAll(messages)));
        }
      }
      expect(sent.map((delivery) => delivery.offset)).toEqual(
        Array.from({ length: 500 }, (_, index) => index),
      );
      const consumer = client.consumer();
      consumer.assign([{ topic: "codecs", partition: 0 }]);
      const ours = await consumer.read(500);
      const theirs = await runKafkaTool("kafka-console-consumer", [
        ...bootstrap,
        "--topic",
        "codecs",
        "--partition",
        "0",
        "--offset",
        "earliest",
        "--max-messages",
        "500",
      ]);
      const text = (value: Uint8Array | null): string =>
        new TextDecoder().decode(value ?? undefined);
      expect(theirs.stdout.trimEnd().split("\n")).toEqual(ours.map((record) => text(record.value)));
      expect(ours.map((record) => record.timestamp)).toEqual(
        sent.map(({ timestamp }) => timestamp),
      );
      expect(ours[50]?.headers).toEqual([{ key: "h", value: null }]);
      expect(ours[57]?.key).toBe(null);
    }, 60_000);

    test("what Apache's producer writes, with its own partitioner", async () => {
      await client.admin.createTopic({ name: "theirs", partitions: 5, replicationFactor: 1 });
      const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
      const input = keys.map((key) => `${key}:value of ${key}\n`).join("");
      const parse = ["--property", "parse.key=true", "--property", "key.separator=:"];
      const produced = await runKafkaTool(
        "kafka-console-producer",
        [...bootstrap, "--topic", "theirs", ...parse, "--compression-codec", "snappy"],
        { input },
      );
      expect(produced.code).toBe(0);
      const consumer = client.consumer();
      consumer.assign([0, 1, 2, 3, 4].map((partition) => ({ topic: "theirs", partition })));
      const records = await consumer.read(40);
      const ours = await client.producer().sendAll(keys.map((key) => ({ topic: "theirs", key })));
      const partitionByKey = new Map(
        records.map(({ key, partition }) => [
          new TextDecoder().decode(key ?? undefined),
          partition,
        ]),
      );
      expect(ours.map((delivery) => delivery.partition)).toEqual(
        keys.map((key) => partitionByKey.get(key) ?? -1),
      );
    }, 60_000);

    test("positions and deleted records", async () => {
      await client.admin.createTopic({ name: "places", partitions: 1, replicationFactor: 1 });
      const at = (timestamp: number) => ({ topic: "places", partition: 0, value: "x", timestamp });
      await client.producer().sendAll([1000, 3000, 2000].map(at));
      const offsetAt = async (spec: Parameters<typeof client.admin.listOffset>[2]) =>
        (await client.admin.listOffset("places", 0, spec)).offset;
      expect(await offsetAt("earliest")).toBe(0);
      expect(await offsetAt("latest")).toBe(3);
      expect(await offsetAt("max-timestamp")).toBe(1);
      expect(await offsetAt({ timestamp: 1500 })).toBe(1);
      expect(await offsetAt({ timestamp: 9999 })).toBe(-1);
      expect(await client.admin.deleteRecords({ topic: "places", partition: 0, offset: 2 })).toBe(
        2,
      );
      expect(await offsetAt("earliest")).toBe(2);
    }, 60_000);
  });
