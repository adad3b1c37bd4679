// A member of a consumer group on kafkajs. See group-member.mjs.
import kafkajs from "kafkajs";
import { assigned, committed, consumed, emit, onStop, options } from "./group-member.mjs";

const { Kafka, logLevel } = kafkajs;
const kafka = new Kafka({
  brokers: [options.bootstrap],
  clientId: "kafkajs-member",
  logLevel: logLevel.NOTHING,
});
const consumer = kafka.consumer({
  groupId: options.group,
  sessionTimeout: options.sessionTimeoutMs,
  rebalanceTimeout: 10_000,
  heartbeatInterval: 500,
  maxWaitTimeInMs: 200,
});
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
  assigned(payload.memberAssignment[options.topic] ?? []),
);
onStop(() => consumer.disconnect());
await consumer.connect();
await consumer.subscribe({ topic: options.topic, fromBeginning: true });
emit("startup_complete");
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: true,
  eachBatch: async ({ batch, heartbeat, isStale, isRunning }) => {
    const { messages, partition, topic } = batch;
    if (messages.length === 0 || isStale() || !isRunning()) return;
    const last = Number(messages.at(-1).offset);
    consumed(partition, Number(messages[0].offset), last);
    await consumer.commitOffsets([{ topic, partition, offset: String(last + 1) }]);
    committed(partition, last + 1);
    await heartbeat();
  },
});
