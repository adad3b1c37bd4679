import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { Client, type ConsumedRecord, type Producer } from "@mantou/client";
import type { BrokerProcessOptions } from "../processes/broker-process.ts";
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
/** Records have up to so many bytes, so that segments of a megabyte roll while brokers die. */
const PADDING_MAX = 2000;
/** Records that a consumer reads again after each crash. */
const SHOWN_AGAIN = 500;
/** The longest time after its start at which a broker is killed before it serves. */
const EARLY_KILL_MS = 400;
/** A round takes a second or two. */
const ROUND_MS_MAX = 30_000;
/** "Back in a second or two", with room for a machine that is shared. */
const RESTART_MS_MAX = 20_000;

const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);

/** Sends unique values until told to stop; every acknowledgement goes into the log. */
async function produceUntil(
  producer: Producer,
  id: number,
  ledger: AcknowledgedLog,
  prng: Prng,
  stop: AbortSignal,
): Promise<void> {
  let sequence = 0;
  const underWay = new Set<Promise<void>>();
  while (!stop.aborted) {
    const sent = { producer: id, sequence: sequence++ };
    const partition = sent.sequence % PARTITIONS;
    const value = encodeSent(sent, prng.below(PADDING_MAX));
    const delivered = producer
      .send({ topic: TOPIC, partition, value })
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
  const next = Array.from({ length: PARTITIONS }, () => 0);
  while (!stop.aborted) {
    let client: Client | null = null;
    try {
      client = await Client.connect({ brokers, retryTimeoutMs: 500 });
      const consumer = client.consumer({ maxWaitMs: 100 });
      // What was seen last is looked at once more: a crash may have taken it back.
      const from = next.map((offset) => Math.max(0, offset - SHOWN_AGAIN));
      consumer.assign(from.map((start, partition) => ({ topic: TOPIC, partition, from: start })));
      while (!stop.aborted) {
        for (const record of await consumer.poll({ timeoutMs: 100 })) {
          ledger.show(record);
          next[record.partition] = record.offset + 1;
        }
      }
    } catch {
      // The broker was killed.
    } finally {
      client?.abort();
    }
  }
}

/** Waits for a condition for as long as the broker lives. */
async function reached(condition: () => boolean, broker: BrokerProcess): Promise<void> {
  const deadlineMs = performance.now() + ROUND_MS_MAX;
  while (!condition()) {
    if (!broker.isRunning) throw new Error(`the broker ended by itself; its log:\n${broker.log}`);
    if (performance.now() > deadlineMs) throw new Error(`no progress; its log:\n${broker.log}`);
    await Bun.sleep(2);
  }
}

/** Starts a broker again, in one case of four after one that died before it could serve. */
async function restart(
  options: BrokerProcessOptions,
  prng: Prng,
): Promise<{ broker: BrokerProcess; tookMs: number }> {
  if (prng.chance(1, 4)) {
    const early = BrokerProcess.launch(options);
    // A choice of the moment, not a wait for a condition: any moment will do.
    await Bun.sleep(prng.below(EARLY_KILL_MS));
    await early.kill();
  }
  const startedMs = performance.now();
  const broker = await BrokerProcess.start(options);
  return { broker, tookMs: performance.now() - startedMs };
}

test(
  `acknowledged records survive kill -9: nothing lost, doubled or reordered (seed ${seed})`,
  async () => {
    using folder = temporaryFolder();
    const prng = new Prng(seed);
    const options = { dataDirectory: folder.path };
    let broker = await BrokerProcess.start(options);
    await using stack = new AsyncDisposableStack();
    stack.defer(() => broker.kill());
    const { port } = broker;
    const brokers = broker.address;
    const client = await Client.connect({ brokers });
    stack.defer(() => client.abort());
    await client.admin.createTopic({
      name: TOPIC,
      partitions: PARTITIONS,
      configs: { "segment.bytes": "1048576" },
    });
    const ledger = new AcknowledgedLog();
    const stop = new AbortController();
    stack.defer(() => stop.abort());
    const running = [consumeUntil(brokers, ledger, stop.signal)];
    for (let id = 0; id < PRODUCERS; id += 1) {
      const producer = client.producer({ idempotent: true, deliveryTimeoutMs: 120_000 });
      const sizes = new Prng(seed ^ (id + 1));
      running.push(produceUntil(producer, id, ledger, sizes, stop.signal));
    }
    let slowestMs = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      // Not a time but a number of acknowledgements decides when the broker dies.
      const target = ledger.acknowledgedCount + 20 + prng.below(2000);
      await reached(() => ledger.acknowledgedCount >= target, broker);
      await broker.kill();
      const again = await restart({ ...options, port }, prng);
      broker = again.broker;
      slowestMs = Math.max(slowestMs, again.tookMs);
    }
    stop.abort();
    await Promise.all(running);
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      ledger.check(partition, await readAll(client, partition));
    }
    await client.close();
    expect(await broker.stop()).toBe(0);
    console.log(
      `kill loop: ${ROUNDS} rounds, ${ledger.acknowledgedCount} acknowledged, ` +
        `slowest restart ${Math.round(slowestMs)} ms, seed ${seed}`,
    );
    expect(ledger.anomalies.slice(0, 20), `seed ${seed}`).toEqual([]);
    expect(ledger.acknowledgedCount).toBeGreaterThan(ROUNDS * 20);
    expect(slowestMs).toBeLessThan(RESTART_MS_MAX);
  },
  ROUNDS * 60_000,
);
