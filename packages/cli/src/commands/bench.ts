import { randomBytes } from "node:crypto";
import type { Client, ProducerOptions } from "@mantou/client";
import { table } from "../answer.ts";
import type { Invocation, Run } from "../command.ts";
import { humaneBytes, humaneCount, humaneDuration } from "../humane.ts";
import { producerOptions } from "../record-sender.ts";

const LIVE_MS = 250;
/** Records that wait for their answers, in bytes: enough to keep a broker busy. */
const AHEAD_BYTES = 8 * 1024 * 1024;
/** The same in records, which also holds while the new topic is not known everywhere yet. */
const AHEAD_RECORDS = 20_000;

interface Phase {
  readonly phase: "produce" | "consume";
  readonly records: number;
  readonly bytes: number;
  readonly ms: number;
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly latencyP50Ms: number | null;
  readonly latencyP99Ms: number | null;
}

export const run: Run = async (invocation) => {
  const { values, connect } = invocation;
  const seconds = values.integer("seconds", 1, 3600) ?? 5;
  const size = values.integer("size", 1, 1_000_000) ?? 1024;
  const partitions = values.integer("partitions", 1, 1000) ?? 1;
  const client = await connect();
  const topic = `mantou-bench-${randomBytes(4).toString("hex")}`;
  await client.admin.createTopic({ name: topic, partitions, replicationFactor: -1 });
  const remove = (): Promise<void> =>
    values.has("keep") ? Promise.resolve() : client.admin.deleteTopic(topic);
  // Ctrl-C ends the load, not the cleaning up.
  let stopped = false;
  process.once("SIGINT", () => {
    stopped = true;
  });
  try {
    const shape = { topic, size, partitions, seconds, isStopped: () => stopped };
    const produced = await produce(client, invocation, shape);
    const consumed = await consume(client, invocation, shape, produced.records);
    const rows = [produced, consumed];
    await invocation.output.note("this client is slower than a fast broker: it measures no limits");
    return {
      data: { topic, valueBytes: size, partitions, phases: rows },
      lines: rows,
      view: [
        table(rows, [
          { title: "PHASE", of: (row) => row.phase },
          { title: "RECORDS", of: (row) => row.records, kind: "count" },
          { title: "TIME", of: (row) => Math.round(row.ms), kind: "duration" },
          { title: "RECORDS/S", of: (row) => Math.round(row.recordsPerSecond), kind: "count" },
          { title: "BYTES/S", of: (row) => Math.round(row.bytesPerSecond), kind: "bytes" },
          { title: "P50 MS", of: (row) => row.latencyP50Ms, kind: "count" },
          { title: "P99 MS", of: (row) => row.latencyP99Ms, kind: "count" },
        ]),
      ],
    };
  } finally {
    await remove();
  }
};

interface Shape {
  readonly topic: string;
  readonly size: number;
  readonly partitions: number;
  readonly seconds: number;
  readonly isStopped: () => boolean;
}

async function produce(
  client: Client,
  { values, output, settings }: Invocation,
  shape: Shape,
): Promise<Phase> {
  const base: ProducerOptions = {
    batchBytes: values.integer("batch", 1) ?? 65_536,
    ...(await settings()).producer,
  };
  const producer = client.producer({
    ...producerOptions(values, base),
    lingerMs: base.lingerMs ?? 1,
  });
  const value = randomBytes(shape.size);
  const latencies: number[] = [];
  let [sent, done, next] = [0, 0, 0];
  const failures: unknown[] = [];
  const live = liveFigures(output, "produce", shape.size);
  const startedMs = performance.now();
  const endMs = startedMs + shape.seconds * 1000;
  const hasRoom = (): boolean =>
    producer.bytesBuffered < AHEAD_BYTES && sent - done < AHEAD_RECORDS;
  while (performance.now() < endMs && !shape.isStopped() && failures.length === 0) {
    for (let count = 0; count < 500 && hasRoom(); count += 1) {
      const sentMs = performance.now();
      const partition = next;
      // Runs of records per partition fill batches, as real producers do.
      if (sent % 50 === 49) next = (next + 1) % shape.partitions;
      sent += 1;
      producer.send({ topic: shape.topic, partition, value }).then(
        () => {
          done += 1;
          if (done % 16 === 0) latencies.push(performance.now() - sentMs);
        },
        (error: unknown) => {
          if (failures.length === 0) failures.push(error);
        },
      );
    }
    await live(done, performance.now() - startedMs);
    await new Promise((resolve) => setTimeout(resolve, hasRoom() ? 0 : 1));
  }
  await producer.close();
  if (failures.length > 0) throw failures[0];
  const ms = performance.now() - startedMs;
  await output.clearProgress();
  latencies.sort((a, b) => a - b);
  return { phase: "produce", ...figures(done, shape.size, ms), ...percentiles(latencies) };
}

async function consume(
  client: Client,
  { output, settings }: Invocation,
  shape: Shape,
  wanted: number,
): Promise<Phase> {
  const consumer = client.consumer({
    partitionBytesMax: 4 * 1024 * 1024,
    ...(await settings()).consumer,
  });
  consumer.assign(
    Array.from({ length: shape.partitions }, (_, partition) => ({ topic: shape.topic, partition })),
  );
  const live = liveFigures(output, "consume", shape.size);
  const startedMs = performance.now();
  let seen = 0;
  // With acks=0 some may never have arrived: it gives up when nothing comes any more.
  while (seen < wanted && !shape.isStopped()) {
    const records = await consumer.poll({ timeoutMs: 3000 });
    if (records.length === 0) break;
    seen += records.length;
    await live(seen, performance.now() - startedMs);
  }
  const ms = performance.now() - startedMs;
  consumer.close();
  await output.clearProgress();
  return {
    phase: "consume",
    ...figures(seen, shape.size, ms),
    latencyP50Ms: null,
    latencyP99Ms: null,
  };
}

function figures(records: number, size: number, ms: number) {
  const bytes = records * size;
  const perSecond = ms <= 0 ? 0 : 1000 / ms;
  return {
    records,
    bytes,
    ms,
    recordsPerSecond: records * perSecond,
    bytesPerSecond: bytes * perSecond,
  };
}

function percentiles(sorted: readonly number[]) {
  const at = (share: number): number | null => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    return value === undefined ? null : Number(value.toFixed(2));
  };
  return { latencyP50Ms: at(0.5), latencyP99Ms: at(0.99) };
}

/** A line that is replaced four times a second, on a terminal only. */
function liveFigures(output: Invocation["output"], phase: string, size: number) {
  let [lastMs, lastCount] = [0, 0];
  return async (count: number, ms: number): Promise<void> => {
    if (ms - lastMs < LIVE_MS) return;
    const rate = ((count - lastCount) * 1000) / (ms - lastMs);
    [lastMs, lastCount] = [ms, count];
    const text = `${humaneCount(Math.round(rate))} records/s  ${humaneBytes(rate * size)}/s`;
    await output.progress(`${phase}  ${humaneDuration(Math.round(ms / 100) * 100)}  ${text}`);
  };
}
