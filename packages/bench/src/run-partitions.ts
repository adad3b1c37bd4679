import type { Client } from "@mantou/client";
import type { BrokerKind, RunningBroker } from "./brokers.ts";
import { ownCpuSeconds, residentBytes } from "./proc.ts";
import type { Measurement } from "./figures.ts";
import { connectWhenReady, measureFirstAck } from "./first-answer.ts";
import { runLoad } from "./loadgen.ts";
import type { PartitionsRow } from "./scenarios.ts";
import { type BenchContext, plainVariant } from "./context.ts";

const TOPIC = "many";
const CREATE_TIMEOUT_MS = 600_000;
/** A topic at a time would be unlike operators; one of ten thousand, unlike what Kafka takes. */
const PARTITIONS_PER_TOPIC_MAX = 1000;
const MB = 1e6;

/** Creating many partitions, idling with them, and starting again after SIGTERM and kill -9. */
export async function runPartitions(
  context: BenchContext,
  kind: BrokerKind,
  data: string,
  row: PartitionsRow,
  turn: number,
): Promise<void> {
  let broker = await kind.launch(data);
  try {
    const client = await connectWhenReady(broker);
    const createMs = await create(client, row.partitions);
    await client.close();
    await Bun.sleep(context.form.idleSeconds * 1000);
    const idle = await measureIdle(broker, context.form.idleSeconds);
    await broker.stop();
    broker = await kind.launch(data);
    const restartMs = await measureFirstAck(broker, topicAt(0));
    await loadAndKill(context, broker, row);
    broker = await kind.launch(data);
    const killedRestartMs = await measureFirstAck(broker, topicAt(0));
    const figures = { createMs, ...idle, restartMs, killedRestartMs };
    const variant = plainVariant(kind.system);
    const measurement: Measurement = { row: row.id, variant, turn, figures };
    context.measurements.push(measurement);
    context.save();
    context.note(`${variant} ${row.id} ${JSON.stringify(figures)}`);
  } finally {
    await broker.stop();
  }
}

const topicAt = (index: number): string => `${TOPIC}-${index}`;

/** Until every partition answers for its end offset. */
async function create(client: Client, partitions: number): Promise<number> {
  const beganAtMs = performance.now();
  const count = Math.ceil(partitions / PARTITIONS_PER_TOPIC_MAX);
  const each = Math.ceil(partitions / count);
  for (let index = 0; index < count; index += 1) {
    const topic = { name: topicAt(index), partitions: each, replicationFactor: 1 };
    await client.admin.createTopic(topic, { timeoutMs: CREATE_TIMEOUT_MS });
  }
  for (let index = 0; index < count; index += 1) {
    for (let partition = 0; partition < each; partition += 1) {
      await client.admin.listOffset(topicAt(index), partition, "latest");
    }
  }
  return performance.now() - beganAtMs;
}

async function measureIdle(broker: RunningBroker, seconds: number) {
  const before = ownCpuSeconds(broker.pid);
  const beganAtMs = performance.now();
  await Bun.sleep(seconds * 1000);
  const wallSeconds = (performance.now() - beganAtMs) / 1000;
  const idleCpuPercent = ((ownCpuSeconds(broker.pid) - before) / wallSeconds) * 100;
  return { idleCpuPercent, idleMb: residentBytes(broker.pid) / MB };
}

/** Writes to all partitions of the first topic, and is killed in the middle of it. */
async function loadAndKill(
  context: BenchContext,
  broker: RunningBroker,
  row: PartitionsRow,
): Promise<void> {
  const { secondsPerRun } = context.form;
  const partitions = Math.min(row.partitions, PARTITIONS_PER_TOPIC_MAX);
  const load = {
    mode: "produce",
    topic: topicAt(0),
    partitions,
    connections: 8,
    depth: 5,
  } as const;
  // The generator loses its connections; that is what this is about.
  const running = runLoad(context.loadgen, broker.address, {
    ...load,
    batchBytes: 16_384,
    seconds: secondsPerRun + 5,
  }).catch(() => null);
  await Bun.sleep(secondsPerRun * 1000);
  await broker.stop("SIGKILL");
  await running;
}
