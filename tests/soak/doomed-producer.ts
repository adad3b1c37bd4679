/**
 * Produces to a topic as fast as it can until it is killed: `bun doomed-producer.ts HOST:PORT TOPIC`.
 * A process of its own, so that kill -9 takes it in the middle of whatever it does.
 */
import { Client } from "@mantou/client";

const [brokers = "", topic = ""] = process.argv.slice(2);
const client = await Client.connect({ brokers });
const producer = client.producer({ idempotent: true });
const value = "x".repeat(900);
const underWay = new Set<Promise<unknown>>();
for (;;) {
  const sent = producer
    .send({ topic, value })
    .catch(() => {})
    .finally(() => underWay.delete(sent));
  underWay.add(sent);
  if (underWay.size >= 500) await Promise.race(underWay);
}
