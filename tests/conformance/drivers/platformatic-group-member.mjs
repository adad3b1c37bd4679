// A member of a consumer group on @platformatic/kafka; the argument names the installed release.
import { assigned, committed, consumed, emit, onStop, options } from "./group-member.mjs";

const { Consumer } = await import(process.argv[2]);

const consumer = new Consumer({
  clientId: "platformatic-member",
  bootstrapBrokers: [options.bootstrap],
  groupId: options.group,
  autocommit: false,
  maxWaitTime: 200,
  ...(options.protocol === "consumer"
    ? { groupProtocol: "consumer" }
    : {
        sessionTimeout: options.sessionTimeoutMs,
        rebalanceTimeout: 10_000,
        heartbeatInterval: 500,
      }),
});
// With the consumer protocol no event tells the assignment: it is looked at.
let held = null;
setInterval(() => {
  const mine = consumer.assignments?.find(({ topic }) => topic === options.topic)?.partitions ?? [];
  const now = mine.toSorted((a, b) => a - b).join();
  if (now === held) return;
  held = now;
  assigned(mine);
}, 50);
onStop(() => consumer.close(true));
const stream = await consumer.consume({
  topics: [options.topic],
  mode: "committed",
  fallbackMode: "earliest",
  autocommit: false,
  maxWaitTime: 200,
});
emit("startup_complete");
for await (const message of stream) {
  const offset = Number(message.offset);
  consumed(message.partition, offset, offset);
  try {
    await message.commit();
    committed(message.partition, offset + 1);
  } catch (error) {
    // A rebalance was faster: whoever has the partition next reads the record again.
    emit("offsets_committed", { success: false, error: String(error) });
  }
}
