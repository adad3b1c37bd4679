// Drives kafkajs: one JSON command on stdin, one JSON answer on stdout.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The client is installed in a cache folder, which is where this process was started.
const require = createRequire(`${process.cwd()}/`);
const kafkajs = require("kafkajs");
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
const snappy = require("kafkajs-snappy");
CompressionCodecs[CompressionTypes.Snappy] = snappy;

const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
};
const decode = (value) => (value === null ? null : Buffer.from(value, "base64"));

const command = JSON.parse(readFileSync(0, "utf8"));
const kafka = new Kafka({
  brokers: [command.bootstrap],
  clientId: "kafkajs-driver",
  logLevel: logLevel.NOTHING,
  retry: { retries: 3 },
});

async function produce() {
  const producer = kafka.producer({
    idempotent: command.idempotent,
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: { retries: 3 },
  });
  await producer.connect();
  try {
    const messages = command.records.map((record) => ({
      partition: record.partition,
      key: decode(record.key),
      value: decode(record.value),
      timestamp: String(record.timestamp),
      headers: Object.fromEntries(record.headers.map(([name, value]) => [name, decode(value)])),
    }));
    const answers = await producer.send({
      topic: command.topic,
      acks: Number(command.acks === "all" ? -1 : command.acks),
      compression: codecs[command.codec],
      messages,
    });
    // kafkajs tells the first offset of each partition's batch only.
    const next = new Map(answers.map((answer) => [answer.partition, Number(answer.baseOffset)]));
    const offsets = command.records.map(({ partition }) => {
      const offset = next.get(partition);
      if (offset === undefined) return null;
      next.set(partition, offset + 1);
      return offset;
    });
    return { ok: true, offsets };
  } catch (error) {
    return { ok: false, error: error.type ?? error.cause?.type ?? error.message };
  } finally {
    await producer.disconnect();
  }
}

async function admin() {
  const client = kafka.admin();
  await client.connect();
  try {
    const { topic } = command;
    await client.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic,
          numPartitions: 2,
          replicationFactor: 1,
          configEntries: [{ name: "retention.ms", value: "3600000" }],
        },
      ],
    });
    await client.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    const configs = await client.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
    });
    const metadata = await client.fetchTopicMetadata({ topics: [topic] });
    const ends = await client.fetchTopicOffsets(topic);
    await client.deleteTopics({ topics: [topic] });
    const entries = configs.resources[0].configEntries;
    return {
      ok: true,
      partitions: metadata.topics[0].partitions.length,
      retentionMs: entries.find((entry) => entry.configName === "retention.ms").configValue,
      ends: ends.map((end) => Number(end.high)),
    };
  } finally {
    await client.disconnect();
  }
}

const operations = { produce, admin };
process.stdout.write(JSON.stringify(await operations[command.op](), (_, value) => value ?? null));
process.exit(0);
