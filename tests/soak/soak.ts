/**
 * A broker process among peers that behave badly, for ten minutes:
 *
 *   bun tests/soak/soak.ts [--minutes 10] [--seed N]
 *
 * Storms of connections that are reset, readers that stop reading, frames that are never finished,
 * producers that are killed with SIGKILL; and one honest client beside them, who must be served all
 * the time. Prints the broker's size as it goes; exits with 1 where it grows, or anything fails.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Prng } from "@mantou/base";
import { Client } from "@mantou/client";
import { Writer, encodeRequestHeader, fetchApi } from "@mantou/protocol";
import { HostileSocket, metadataFrame, prefix } from "../fuzz/hostile-socket.ts";
import { descriptorsOf, rssOf } from "../fuzz/process-usage.ts";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";

const TOPIC = "soak";
const PARTITIONS = 4;
const LOOK_MS = 10_000;
/** An honest request may take so long at most, whatever the others do. */
const PATIENCE_MS = 15_000;
const MEBIBYTE = 1024 * 1024;
/** What the last third of the run may have above the second. */
const GROWTH_FACTOR = 1.15;
const GROWTH_BYTES = 32 * MEBIBYTE;
/** Bounds the disk: partitions x (this + a segment). */
const RETENTION_BYTES = 32 * MEBIBYTE;

interface Soak {
  readonly broker: BrokerProcess;
  readonly prng: Prng;
  /** Set when the time is over. */
  readonly stop: AbortSignal;
  readonly counts: {
    reset: number;
    slowReaders: number;
    halfFrames: number;
    killedProducers: number;
    honest: number;
    slowestMs: number;
  };
}

const sleepBetween = ({ prng }: Soak, low: number, high: number): Promise<void> =>
  Bun.sleep(prng.between(low, high));

/** Connections that go away at once, in every state that a connection can be in. */
async function storms(soak: Soak): Promise<void> {
  while (!soak.stop.aborted) {
    const count = soak.prng.between(10, 200);
    const opening = Array.from({ length: count }, () => HostileSocket.connect(soak.broker.port));
    for (const [index, socket] of (await Promise.all(opening)).entries()) {
      const frame = metadataFrame(index);
      if (index % 3 > 0) socket.write(frame.subarray(0, index % 3 === 1 ? 9 : frame.length));
      if (index % 2 === 0) socket.reset();
      else socket.end();
    }
    soak.counts.reset += count;
    await sleepBetween(soak, 50, 500);
  }
}

/** A fetch of much from the beginning of a partition. */
function fetchFrame(partition: number, correlationId: number): Uint8Array {
  const writer = new Writer(256);
  writer.int32(0);
  encodeRequestHeader(writer, fetchApi, 12, correlationId, "slow");
  const partitions = [{ partition, fetchOffset: 0, partitionMaxBytes: 50 * MEBIBYTE }];
  const topics = [{ topic: TOPIC, partitions }];
  const request = { maxWaitMs: 0, minBytes: 0, maxBytes: 50 * MEBIBYTE, topics };
  fetchApi.request.encode(writer, { ...request, forgottenTopicsData: [] }, 12);
  writer.view.setInt32(0, writer.length - 4);
  return writer.bytes.slice(0, writer.length);
}

/** Readers that ask for much and do not take it. */
async function slowReaders(soak: Soak): Promise<void> {
  while (!soak.stop.aborted) {
    const sockets: HostileSocket[] = [];
    for (let count = soak.prng.between(1, 10); count > 0; count -= 1) {
      const socket = await HostileSocket.connect(soak.broker.port);
      socket.stopReading();
      for (let request = 0; request < 20; request += 1) {
        const isFetch = soak.prng.chance(1, 2);
        socket.write(
          isFetch ? fetchFrame(soak.prng.below(PARTITIONS), request) : metadataFrame(request),
        );
      }
      sockets.push(socket);
    }
    soak.counts.slowReaders += sockets.length;
    await sleepBetween(soak, 1000, 10_000);
    for (const socket of sockets) socket.reset();
  }
}

/** Frames of which only a part ever comes. */
async function halfFrames(soak: Soak): Promise<void> {
  while (!soak.stop.aborted) {
    const sockets: HostileSocket[] = [];
    for (let count = soak.prng.between(1, 40); count > 0; count -= 1) {
      const socket = await HostileSocket.connect(soak.broker.port);
      const length = soak.prng.pick([100, 10_000, 1_000_000, 20_000_000]);
      socket.write(prefix(length));
      socket.write(new Uint8Array(soak.prng.below(Math.min(length, 500_000))));
      sockets.push(socket);
    }
    soak.counts.halfFrames += sockets.length;
    await sleepBetween(soak, 500, 5000);
    for (const socket of sockets) {
      if (soak.prng.chance(1, 2)) socket.end();
      else socket.reset();
    }
  }
}

/** Producers that are killed while they produce. */
async function doomedProducers(soak: Soak): Promise<void> {
  const script = join(import.meta.dir, "doomed-producer.ts");
  while (!soak.stop.aborted) {
    const child = Bun.spawn([process.execPath, script, soak.broker.address, TOPIC], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    await sleepBetween(soak, 1000, 5000);
    child.kill("SIGKILL");
    await child.exited;
    soak.counts.killedProducers += 1;
  }
}

/** One client that wants its record stored and read back, again and again. */
async function honest(soak: Soak, client: Client): Promise<void> {
  const producer = client.producer();
  while (!soak.stop.aborted) {
    const startedMs = performance.now();
    const value = crypto.randomUUID();
    const { partition, offset } = await producer.send({ topic: TOPIC, partition: 0, value });
    const consumer = client.consumer();
    consumer.assign([{ topic: TOPIC, partition, from: offset }]);
    const [record] = await consumer.read(1, PATIENCE_MS);
    consumer.close();
    const text = new TextDecoder().decode(record?.value ?? undefined);
    if (text !== value) throw new Error(`offset ${offset} holds ${text}, not ${value}`);
    const tookMs = performance.now() - startedMs;
    if (tookMs > PATIENCE_MS) throw new Error(`an honest client waited ${tookMs} ms`);
    soak.counts.slowestMs = Math.max(soak.counts.slowestMs, tookMs);
    soak.counts.honest += 1;
    await Bun.sleep(50);
  }
}

async function look(soak: Soak, startedMs: number, sizes: number[]): Promise<void> {
  while (!soak.stop.aborted) {
    await Bun.sleep(LOOK_MS);
    if (!soak.broker.isRunning) throw new Error(`the broker ended:\n${soak.broker.log}`);
    const rss = rssOf(soak.broker.pid);
    sizes.push(rss);
    const {
      reset,
      slowReaders: slow,
      halfFrames: half,
      killedProducers,
      honest: served,
    } = soak.counts;
    console.log(
      `${String(Math.round((performance.now() - startedMs) / 1000)).padStart(5)} s  ` +
        `rss ${String(Math.round(rss / MEBIBYTE)).padStart(4)} MiB  ` +
        `fds ${String(descriptorsOf(soak.broker.pid)).padStart(4)}  reset ${reset}  slow ${slow}  ` +
        `half ${half}  killed ${killedProducers}  honest ${served} ` +
        `(slowest ${Math.round(soak.counts.slowestMs)} ms)`,
    );
    soak.counts.slowestMs = 0;
  }
}

const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { minutes: { type: "string" }, seed: { type: "string" } },
  });
  const minutes = Number(values.minutes ?? 10);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  console.log(`soak: ${minutes} minutes, seed ${seed}`);
  using folder = temporaryFolder();
  const flags = ["--set", "log.retention.check.interval.ms=2000"];
  await using broker = await BrokerProcess.start({ dataDirectory: folder.path, flags });
  const client = await Client.connect({ brokers: broker.address });
  await client.admin.createTopic({
    name: TOPIC,
    partitions: PARTITIONS,
    configs: {
      "retention.bytes": String(RETENTION_BYTES),
      "segment.bytes": String(8 * MEBIBYTE),
      "file.delete.delay.ms": "1000",
    },
  });
  const stop = new AbortController();
  const counts = {
    reset: 0,
    slowReaders: 0,
    halfFrames: 0,
    killedProducers: 0,
    honest: 0,
    slowestMs: 0,
  };
  const soak: Soak = { broker, prng: new Prng(seed), stop: stop.signal, counts };
  const rssStart = rssOf(broker.pid);
  const descriptorsStart = descriptorsOf(broker.pid);
  const sizes: number[] = [];
  const timer = setTimeout(() => stop.abort(), minutes * 60_000);
  try {
    const jobs = [storms, slowReaders, halfFrames, doomedProducers];
    await Promise.all([
      ...jobs.map((job) => job(soak)),
      honest(soak, client),
      look(soak, performance.now(), sizes),
    ]);
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
  // What was open has been closed: give the broker a moment to notice.
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (descriptorsOf(broker.pid) > descriptorsStart + 40 && performance.now() < deadlineMs) {
    await Bun.sleep(100);
  }
  judge(broker, sizes, { rssStart, descriptorsStart });
  client.abort();
  const exitCode = await broker.stop();
  if (exitCode !== 0) fail(`the broker stopped with status ${exitCode}`);
}

function judge(
  broker: BrokerProcess,
  sizes: readonly number[],
  start: { readonly rssStart: number; readonly descriptorsStart: number },
): void {
  const mib = (bytes: number): number => Math.round(bytes / MEBIBYTE);
  const end = rssOf(broker.pid);
  const peak = Math.max(...sizes, end);
  const third = Math.floor(sizes.length / 3);
  const middle = median(sizes.slice(third, 2 * third));
  const last = median(sizes.slice(2 * third));
  console.log(
    `rss: start ${mib(start.rssStart)} MiB, peak ${mib(peak)} MiB, end ${mib(end)} MiB; ` +
      `median of the second third ${mib(middle)} MiB, of the last ${mib(last)} MiB; ` +
      `descriptors: start ${start.descriptorsStart}, end ${descriptorsOf(broker.pid)}`,
  );
  if (third > 0 && last > middle * GROWTH_FACTOR + GROWTH_BYTES) fail("it grows");
  // Segments that the topic has now stay open, connections do not.
  if (descriptorsOf(broker.pid) > start.descriptorsStart + 40) fail("descriptors are left behind");
  const errors = broker.log.split("\n").filter((line) => / ERROR | fatal/.test(line));
  if (errors.length > 0) fail(`its log has ${errors.length} errors: ${errors[0]}`);
}

function fail(why: string): void {
  console.log(`FAILED: ${why}`);
  process.exitCode = 1;
}

await main();
