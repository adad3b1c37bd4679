// Drives @platformatic/kafka; the argument names the installed release. See serve.mjs.
import { decode, encode, offsetsOf, serve } from "./serve.mjs";

const { Admin, Consumer, Producer, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } =
  await import(process.argv[2]);

const base = ({ bootstrap }) => ({
  clientId: "platformatic-driver",
  bootstrapBrokers: [bootstrap],
  retries: 2,
  retryDelay: 100,
});

async function produce(command) {
  const producer = new Producer({
    ...base(command),
    idempotent: command.idempotent,
    autocreateTopics: false,
  });
  try {
    const answer = await producer.send({
      acks: Number(command.acks === "all" ? -1 : command.acks),
      compression: command.codec,
      messages: command.records.map((record) => ({
        topic: command.topic,
        partition: record.partition,
        key: decode(record.key),
        value: decode(record.value),
        timestamp: BigInt(record.timestamp),
        // Keys are buffers, compared by identity, so that a name may be there twice.
        headers: new Map(record.headers.map(([name, value]) => [Buffer.from(name), decode(value)])),
      })),
    });
    const first = (answer.offsets ?? []).map(({ partition, offset }) => [
      partition,
      Number(offset),
    ]);
    return { offsets: offsetsOf(command.records, first) };
  } finally {
    await producer.close();
  }
}

/** Its stream needs a group; its fetch of one partition does not. */
async function consume({ topic, partition, offset, count, ...command }) {
  const consumer = new Consumer({ ...base(command), groupId: "unused" });
  try {
    const metadata = await consumer.metadata({ topics: [topic] });
    const { id: topicId, partitions } = metadata.topics.get(topic);
    // What a stream does at its start: the fetch finds names by ids among the tracked topics.
    consumer.topics.track(topic);
    const records = [];
    let position = offset;
    const deadline = Date.now() + 20_000;
    while (records.length < count && Date.now() < deadline) {
      const wanted = {
        partition,
        currentLeaderEpoch: partitions[partition].leaderEpoch,
        fetchOffset: BigInt(position),
        lastFetchedEpoch: -1,
        partitionMaxBytes: 10_000_000,
      };
      const { responses } = await consumer.fetch({
        node: partitions[partition].leader,
        maxWaitTime: 500,
        minBytes: 1,
        maxBytes: 20_000_000,
        topics: [{ topicId, partitions: [wanted] }],
      });
      // An incremental answer leaves out what has not changed.
      for (const batch of responses[0]?.partitions[0]?.records ?? []) {
        for (const record of batch.records) {
          const at = Number(batch.firstOffset) + record.offsetDelta;
          if (at < position) continue;
          position = at + 1;
          records.push(recordOf(batch, record, at));
        }
      }
    }
    return { records };
  } finally {
    await consumer.close(true);
  }
}

const LOG_APPEND_TIME = 8;

function recordOf(batch, record, offset) {
  const appended = (batch.attributes & LOG_APPEND_TIME) !== 0;
  return {
    offset,
    timestamp: Number(appended ? batch.maxTimestamp : batch.firstTimestamp + record.timestampDelta),
    key: encode(record.key),
    value: encode(record.value),
    headers: record.headers.map(([name, value]) => [String(name), encode(value)]),
  };
}

async function withAdmin(command, call) {
  const admin = new Admin(base(command));
  try {
    return await call(admin);
  } finally {
    await admin.close();
  }
}

const resource = (topic) => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic });
const entriesOf = (configs) => Object.entries(configs).map(([name, value]) => ({ name, value }));

const operations = {
  produce,
  consume,
  offsets: ({ topic, partition, timestamp, ...command }) =>
    withAdmin(command, async (admin) => {
      const at = async (special) => {
        const partitions = [{ partitionIndex: partition, timestamp: BigInt(special) }];
        const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
        return Number(found.partitions[0].offset);
      };
      return { earliest: await at(-2), latest: await at(-1), atTimestamp: await at(timestamp) };
    }),
  create: ({ topic, partitions, configs, ...command }) =>
    withAdmin(command, async (admin) => {
      const topics = [topic];
      await admin.createTopics({ topics, partitions, replicas: 1, configs: entriesOf(configs) });
    }),
  describe: ({ topic, configs, ...command }) =>
    withAdmin(command, async (admin) => {
      const metadata = await admin.metadata({ topics: [topic], forceUpdate: true });
      const resources = [{ ...resource(topic), configurationKeys: configs }];
      const [found] = await admin.describeConfigs({ resources });
      return {
        partitions: metadata.topics.get(topic).partitionsCount,
        configs: Object.fromEntries(found.configs.map(({ name, value }) => [name, value])),
        brokers: metadata.brokers.size,
        listed: (await admin.listTopics()).includes(topic),
      };
    }),
  alter: ({ topic, configs, ...command }) =>
    withAdmin(command, async (admin) => {
      const configOperation = IncrementalAlterConfigOperationTypes.SET;
      const changes = entriesOf(configs).map((entry) => ({ ...entry, configOperation }));
      await admin.incrementalAlterConfigs({
        resources: [{ ...resource(topic), configs: changes }],
      });
    }),
  addPartitions: ({ topic, count, ...command }) =>
    withAdmin(command, async (admin) => {
      await admin.createPartitions({ topics: [{ name: topic, count, assignments: null }] });
    }),
  deleteRecords: ({ topic, partition, offset, ...command }) =>
    withAdmin(command, async (admin) => {
      const partitions = [{ partition, offset: BigInt(offset) }];
      const [deleted] = await admin.deleteRecords({ topics: [{ name: topic, partitions }] });
      return { lowWatermark: Number(deleted.partitions[0].lowWatermark) };
    }),
  delete: ({ topic, ...command }) =>
    withAdmin(command, async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
    }),
};

/** The protocol's own name of an error, wherever the client has wrapped it. */
function nameOf(error) {
  if (error === null || typeof error !== "object") return undefined;
  if (typeof error.apiId === "string") return error.apiId;
  for (const inner of [...(error.errors ?? []), error.cause]) {
    const found = nameOf(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

await serve(operations, nameOf);
