import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { Client, type ConsumedRecord, type Producer } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { AcknowledgedLog, encodeSent } from "./acknowledged-log.ts";

/**
 * kill -9 in a loop under load: idempotent producers with acks=all, a consumer beside them.
 * MANTOU_LONG=1 runs 100 rounds. MANTOU_SEED repeats a run's choices (not its timing).
 */
const ROUNDS = process.env["MANTOU_LONG"] === "1" ? 100 : 5;
const PARTITIONS = 4;
const PRODUCERS = 3;
const TOPIC = "ledger";
/** Values that may be under way per producer: bounds what one round writes. */
const IN_FLIGHT_MAX = 200;

const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);

/** Sends unique values until told to stop; every acknowledgement goes into the log. */
async function produceUntil(
  producer: Producer,
  id: number,
  ledger: AcknowledgedLog,
  stop: AbortSignal,
): Promise<void> {
  let sequence = 0;
  const underWay = new Set<Promise<void>>();
  while (!stop.aborted) {
    const sent = { producer: id, sequence: sequence++ };
    const partition = sent.sequence % PARTITIONS;
    const delivered = producer
      .send({ topic: TOPIC, partition, value: encodeSent(sent) })
      .then((delivery) => ledger.acknowledge(sent, delivery))
      .catch(() => {
        // Given up: unknown whether it is there. The checker allows both, but not twice.
      })
      .finally(() => underWay.delete(delivered));
    underWay.add(delivered);
    if (underWay.size >= IN_FLIGHT_MAX) await Promise.race(underWay);
  }
  await Promise.all(underWay);
}

async function readAll(client: Client, partition: number): Promise<ConsumedRecord[]> {
  const end = (await client.admin.listOffset(TOPIC, partition, "latest")).offset;
  const consumer = client.consumer();
  consumer.assign([{ topic: TOPIC, partition, from: 0 }]);
  const records: ConsumedRecord[] = [];
  while ((records.at(-1)?.offset ?? -1) < end - 1) {
    const polled = await consumer.poll({ timeoutMs: 10_000 });
    if (polled.length === 0) throw new Error(`partition ${partition} ends before ${end}`);
    records.push(...polled);
  }
  consumer.close();
  return records;
}

/** Shows records to the ledger until told to stop, from wherever the broker lets it. */
async function consumeUntil(
  brokers: string,
  ledger: AcknowledgedLog,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    let client: Client | null = null;
    try {
      client = await Client.connect({ brokers, retryTimeoutMs: 500 });
      const consumer = client.consumer({ maxWaitMs: 100 });
      const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
      consumer.assign(partitions.map((partition) => ({ topic: TOPIC, partition })));
      while (!stop.aborted) {
        for (const record of await consumer.poll({ timeoutMs: 100 })) ledger.show(record);
      }
    } catch {
      // The broker was killed; begin again from the start, which shows everything once more.
    } finally {
      client?.abort();
    }
  }
}

test(
  `acknowledged records survive kill -9: nothing lost, doubled or reordered (seed ${seed})`,
  async () => {
    using folder = temporaryFolder();
    const prng = new Prng(seed);
    const options = { dataDirectory: folder.path };
    let broker = await BrokerProcess.start(options);
    const { port } = broker;
    const brokers = broker.address;
    const client = await Client.connect({ brokers });
    await client.admin.createTopic({
      name: TOPIC,
      partitions: PARTITIONS,
      configs: { "segment.bytes": "1048576" },
    });
    const ledger = new AcknowledgedLog();
    const stop = new AbortController();
    const running = [consumeUntil(brokers, ledger, stop.signal)];
    for (let id = 0; id < PRODUCERS; id += 1) {
      const producer = client.producer({ idempotent: true, deliveryTimeoutMs: 120_000 });
      running.push(produceUntil(producer, id, ledger, stop.signal));
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      // Not a time but a number of acknowledgements decides when the broker dies.
      const target = ledger.acknowledgedCount + 20 + prng.below(2000);
      while (ledger.acknowledgedCount < target)
        await new Promise((resolve) => setTimeout(resolve, 2));
      await broker.kill();
      broker = await BrokerProcess.start({ ...options, port });
    }
    stop.abort();
    await Promise.all(running);
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      ledger.check(partition, await readAll(client, partition));
    }
    await client.close();
    expect(await broker.stop()).toBe(0);
    expect(ledger.anomalies.slice(0, 20), `seed ${seed}`).toEqual([]);
    expect(ledger.acknowledgedCount).toBeGreaterThan(ROUNDS * 20);
  },
  ROUNDS * 60_000,
);
