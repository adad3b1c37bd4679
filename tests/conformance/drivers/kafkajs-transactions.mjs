// Runs transactions with kafkajs: argv[2] is JSON with bootstrap, topic, group and count.
import kafkajs from "kafkajs";

const options = JSON.parse(process.argv[2]);
const { Kafka, logLevel } = kafkajs;
const kafka = new Kafka({ brokers: [options.bootstrap], logLevel: logLevel.NOTHING });
const newProducer = async () => {
  const producer = kafka.producer({
    transactionalId: options.group,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  return producer;
};

const one = await newProducer();
const { topic } = options;
for (let index = 0; index < options.count; index += 1) {
  const fate = index % 3 === 2 ? "aborted" : "committed";
  const transaction = await one.transaction();
  const messages = [0, 1].map((partition) => ({
    partition,
    value: `${fate}-${index}-${partition}`,
  }));
  await transaction.send({ topic, messages });
  const partitions = [{ partition: 0, offset: String(index) }];
  await transaction.sendOffsets({
    consumerGroupId: options.group,
    topics: [{ topic, partitions }],
  });
  await (fate === "aborted" ? transaction.abort() : transaction.commit());
}

const open = await one.transaction();
await open.send({ topic, messages: [{ partition: 0, value: "aborted-fenced" }] });
const two = await newProducer();
const last = await two.transaction();
const fenced = await open.commit().then(
  () => false,
  () => true,
);
await last.send({ topic, messages: [{ partition: 0, value: "committed-last" }] });
await last.commit();
const admin = kafka.admin();
await admin.connect();
const [stored] = await admin.fetchOffsets({ groupId: options.group, topics: [topic] });
const offset = Number(stored.partitions.find(({ partition }) => partition === 0).offset);
console.log(JSON.stringify({ fenced, offset }));
await Promise.all([one, two, admin].map((client) => client.disconnect()));
