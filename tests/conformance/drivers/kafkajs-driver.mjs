// Drives kafkajs. See serve.mjs for the form of commands and answers.
import kafkajs from "kafkajs";
import snappy from "kafkajs-snappy";
import { compressFrame, decompressFrame } from "lz4-napi";
import { decode, encode, offsetsOf, serve } from "./serve.mjs";

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs;
CompressionCodecs[CompressionTypes.Snappy] = snappy;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => compressFrame(encoder.buffer),
  decompress: (bytes) => decompressFrame(bytes),
});

const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
};

const kafkaOf = ({ bootstrap }) =>
  new Kafka({
    brokers: [bootstrap],
    clientId: "kafkajs-driver",
    logLevel: logLevel.NOTHING,
    retry: { retries: 3 },
  });

/** A header that is there several times has an array for a value. */
function headersOf(pairs) {
  const headers = {};
  for (const [name, value] of pairs) {
    const bytes = decode(value);
    headers[name] = name in headers ? [headers[name], bytes].flat() : bytes;
  }
  return headers;
}

async function produce(command) {
  const producer = kafkaOf(command).producer({
    idempotent: command.idempotent,
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: { retries: 3 },
  });
  await producer.connect();
  try {
    const answers = await producer.send({
      topic: command.topic,
      acks: Number(command.acks === "all" ? -1 : command.acks),
      compression: codecs[command.codec],
      messages: command.records.map((record) => ({
        partition: record.partition,
        key: decode(record.key),
        value: decode(record.value),
        timestamp: String(record.timestamp),
        headers: headersOf(record.headers),
      })),
    });
    const first = (answers ?? []).map(({ partition, baseOffset }) => [
      partition,
      Number(baseOffset),
    ]);
    return { offsets: offsetsOf(command.records, first) };
  } finally {
    await producer.disconnect();
  }
}

/**
 * Its consumer knows groups only. Underneath it has a fetch of one partition, with its own
 * decoder of batches; that one is driven here.
 */
async function consume({ topic, partition, offset, count, ...command }) {
  const kafka = kafkaOf(command);
  const createCluster = Object.getOwnPropertySymbols(kafka).find(
    (symbol) => symbol.description === "private:Kafka:createCluster",
  );
  const cluster = kafka[createCluster]({ allowAutoTopicCreation: false });
  await cluster.connect();
  try {
    await cluster.addTargetTopic(topic);
    const leaders = cluster.findLeaderForPartitions(topic, [partition]);
    const broker = await cluster.findBroker({ nodeId: Object.keys(leaders)[0] });
    const records = [];
    let position = offset;
    const deadline = Date.now() + 20_000;
    while (records.length < count && Date.now() < deadline) {
      const { responses } = await broker.fetch({
        replicaId: -1,
        isolationLevel: 1,
        maxWaitTime: 500,
        minBytes: 1,
        maxBytes: 20_000_000,
        topics: [
          {
            topic,
            partitions: [
              { partition, currentLeaderEpoch: -1, fetchOffset: position, maxBytes: 10_000_000 },
            ],
          },
        ],
      });
      for (const message of responses[0].partitions[0].messages) {
        if (Number(message.offset) < position) continue;
        position = Number(message.offset) + 1;
        const headers = Object.entries(message.headers).flatMap(([name, value]) =>
          [value].flat().map((one) => [name, encode(one)]),
        );
        records.push({
          offset: Number(message.offset),
          timestamp: Number(message.timestamp),
          key: encode(message.key),
          value: encode(message.value),
          headers,
        });
      }
    }
    return { records };
  } finally {
    await cluster.disconnect();
  }
}

async function withAdmin(command, call) {
  const admin = kafkaOf(command).admin();
  await admin.connect();
  try {
    return await call(admin);
  } finally {
    await admin.disconnect();
  }
}

const entriesOf = (configs) => Object.entries(configs).map(([name, value]) => ({ name, value }));

const operations = {
  produce,
  consume,
  offsets: ({ topic, partition, timestamp, ...command }) =>
    withAdmin(command, async (admin) => {
      const of = (rows) => rows.find((row) => row.partition === partition);
      const ends = of(await admin.fetchTopicOffsets(topic));
      const at = of(await admin.fetchTopicOffsetsByTimestamp(topic, timestamp));
      return {
        earliest: Number(ends.low),
        latest: Number(ends.high),
        atTimestamp: Number(at.offset),
      };
    }),
  create: ({ topic, partitions, configs, ...command }) =>
    withAdmin(command, async (admin) => {
      const configEntries = entriesOf(configs);
      const made = { topic, numPartitions: partitions, replicationFactor: 1, configEntries };
      // It reports an existing topic as `false`, and nothing else by that.
      const created = await admin.createTopics({ waitForLeaders: true, topics: [made] });
      if (!created) throw Object.assign(new Error("exists"), { type: "TOPIC_ALREADY_EXISTS" });
    }),
  describe: ({ topic, configs, ...command }) =>
    withAdmin(command, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: configs }],
      });
      const { brokers } = await admin.describeCluster();
      const found = resources[0].configEntries.map((entry) => [
        entry.configName,
        entry.configValue,
      ]);
      return {
        partitions: topics[0].partitions.length,
        configs: Object.fromEntries(found),
        brokers: brokers.length,
        listed: (await admin.listTopics()).includes(topic),
      };
    }),
  alter: ({ topic, configs, ...command }) =>
    withAdmin(command, async (admin) => {
      const resource = {
        type: ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: entriesOf(configs),
      };
      await admin.alterConfigs({ validateOnly: false, resources: [resource] });
    }),
  addPartitions: ({ topic, count, ...command }) =>
    withAdmin(command, async (admin) => {
      await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    }),
  deleteRecords: ({ topic, partition, offset, ...command }) =>
    withAdmin(command, async (admin) => {
      // It looks the leader up before it knows the topic, so the topic is made known first.
      await admin.fetchTopicOffsets(topic);
      const partitions = [{ partition, offset: String(offset) }];
      await admin.deleteTopicRecords({ topic, partitions });
      const left = (await admin.fetchTopicOffsets(topic)).find(
        (row) => row.partition === partition,
      );
      return { lowWatermark: Number(left.low) };
    }),
  delete: ({ topic, ...command }) =>
    withAdmin(command, async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
    }),
};

/** The protocol's own name of an error, wherever the client has wrapped it. */
function nameOf(error) {
  if (error === null || typeof error !== "object") return undefined;
  if (typeof error.type === "string") return error.type;
  for (const inner of [error.cause, error.originalError, ...(error.errors ?? [])]) {
    const found = nameOf(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

await serve(operations, nameOf);
