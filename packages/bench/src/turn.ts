import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { BrokerKind, RunningBroker, System } from "./brokers.ts";
import { wasInterrupted } from "./children.ts";
import { judgePauses } from "./collector-pauses.ts";
import { checkOrder, createTopic } from "./content-check.ts";
import { type BenchContext, BYTES_PER_SECOND_MAX, plainVariant, type Turn } from "./context.ts";
import { removeInSteps, requireFreeBytes, syncVolume } from "./disk.ts";
import { BROKER_ROW, type Figure, type Measurement } from "./figures.ts";
import { connectWhenReady, measureFirstAck } from "./first-answer.ts";
import { runLoad } from "./loadgen.ts";
import { readStalls } from "./metrics.ts";
import { residentBytes, watchResident } from "./proc.ts";
import { runCoordination } from "./run-coordination.ts";
import { runMemory } from "./run-memory.ts";
import { runPartitions } from "./run-partitions.ts";
import {
  runFetch,
  runJava,
  runProduce,
  runRdkafkaRow,
  runSingleRecords,
  runSyscalls,
} from "./run-row.ts";
import { runCatchUp, runTail } from "./run-tail.ts";
import { type Block, type ScenarioRow, type Variant, VARIANTS } from "./scenarios.ts";
import { lengthMs, type Stop } from "./standstill.ts";

const FIRST_TOPIC = "first";
/** How long the bytes of deleted topics are waited for; a floor of free space is kept in any case. */
const GONE_TIMEOUT_MS = 20_000;
const GONE_PAUSE_MS = 50;
const MB = 1e6;

/** Starts a broker on an empty folder, runs a block's rows, stops it and removes its data. */
export async function runTurn(
  context: BenchContext,
  block: Block,
  system: System,
  index: number,
): Promise<void> {
  const directory = join(context.dataDirectory, `${system}-${index}`);
  const data = join(directory, "data");
  mkdirSync(data, { recursive: true });
  const kind = context.kinds[system];
  try {
    requireFreeBytes(directory, 0, context.floorBytes);
    await kind.prepare(data);
    const partitionRows = block.rows.filter((row) => row.kind === "partitions");
    if (partitionRows.length > 0) {
      for (const row of partitionRows) await runPartitions(context, kind, data, row, index);
      return;
    }
    await makeFirstTopic(kind, data);
    await syncVolume(directory);
    await runRows(context, kind, data, block, index);
  } finally {
    await removeInSteps(directory);
    await syncVolume(context.dataDirectory);
  }
}

/** So that the start that is measured is one on a folder that has been used. */
async function makeFirstTopic(kind: BrokerKind, data: string): Promise<void> {
  const broker = await kind.launch(data);
  try {
    const client = await connectWhenReady(broker);
    await client.admin.createTopic({ name: FIRST_TOPIC, partitions: 1, replicationFactor: 1 });
    await client.close();
  } finally {
    await broker.stop();
  }
}

async function runRows(
  context: BenchContext,
  kind: BrokerKind,
  data: string,
  block: Block,
  index: number,
): Promise<void> {
  const { system } = kind;
  const startedAtMs = Date.now();
  const broker = await kind.launch(data);
  try {
    const startMs = await measureFirstAck(broker, FIRST_TOPIC);
    await Bun.sleep(context.form.idleSeconds * 1000);
    const idleMb = residentBytes(broker.pid) / MB;
    const client = await connectWhenReady(broker);
    const turn: Turn = { context, index, broker, client, directory: data };
    const resident = watchResident(broker.pid);
    await checkOrder(client, "numbered");
    await warmUp(turn);
    for (const row of block.rows) {
      for (const variant of row.variants) {
        if (VARIANTS[variant].system === system) await tryRow(turn, row, variant);
      }
    }
    const stalls = await readStalls(broker.metricsUrl);
    const stops = context.standstill.stopsSince(startedAtMs);
    const pauses = await pausesOf(broker, stops, context.preparations);
    const figures = { startMs, idleMb, loadedMb: resident.stop() / MB, ...stalls, ...pauses };
    record(turn, { row: BROKER_ROW, variant: plainVariant(system), turn: index, figures });
    await client.close();
  } catch (error) {
    context.note(await broker.log());
    throw error;
  } finally {
    await broker.stop();
  }
}

/** How long its collections stopped it at most, and how long the machine stood still at most. */
async function pausesOf(
  broker: RunningBroker,
  stops: readonly Stop[],
  preparations: readonly Stop[],
): Promise<Partial<Record<Figure, number>>> {
  const { longestMs, leftOut } = judgePauses(await broker.pauses(), [...stops, ...preparations]);
  return {
    ...(longestMs === null ? {} : { gcPauseMs: longestMs }),
    gcPausesLeftOut: leftOut,
    standstillMs: Math.max(0, ...stops.map(lengthMs)),
  };
}

/** Virtual machines compile what runs often; nobody is measured before that. */
async function warmUp(turn: Turn): Promise<void> {
  const { context, broker, client } = turn;
  const topic = "warm-up";
  const partitions = 16;
  await createTopic(client, topic, partitions);
  const load = { mode: "produce", topic, partitions, connections: 8, depth: 5 } as const;
  // Two thirds at a size that makes many requests of few bytes: it warms most for its volume.
  const { warmupSeconds } = context.form;
  const small = { ...load, batchBytes: 16_384, seconds: (warmupSeconds * 2) / 3 };
  await runLoad(context.loadgen, broker.address, small);
  await runLoad(context.loadgen, broker.address, { ...load, seconds: warmupSeconds / 3 });
  await dropTopics(turn, topic);
}

/** A row that fails is told of, and costs no other row its figures while the broker lives. */
async function tryRow(turn: Turn, row: ScenarioRow, variant: Variant): Promise<void> {
  try {
    await runRow(turn, row, variant);
  } catch (error) {
    if (wasInterrupted() || turn.broker.hasExited()) throw error;
    const { context } = turn;
    context.failures.push(`${row.id}, ${variant}: ${(error as Error).message}`);
    context.note(`failed: ${context.failures.at(-1)}\n${await turn.broker.log()}`);
  }
}

async function runRow(turn: Turn, row: ScenarioRow, variant: Variant): Promise<void> {
  const { context, directory } = turn;
  const bytes = context.form.secondsPerRun * BYTES_PER_SECOND_MAX;
  requireFreeBytes(directory, row.kind === "fetch" ? 0 : bytes, context.floorBytes);
  const measurement = await measure(turn, row, variant);
  if (measurement !== null) record(turn, measurement);
  await dropTopics(turn, `${row.id}.${variant}`);
}

/**
 * Deletes the topics of a run and waits until their bytes are gone: a turn must not fill the disk,
 * and nobody's deletes may run beside the next measurement.
 */
async function dropTopics({ client, directory, context }: Turn, prefix: string): Promise<void> {
  const topics = (await client.admin.listTopics()).flatMap(({ name }) => name ?? []);
  const mine = topics.filter((name) => name === prefix || name.startsWith(`${prefix}.`));
  if (mine.length === 0) return;
  await client.admin.deleteTopics(mine);
  const deadlineMs = performance.now() + GONE_TIMEOUT_MS;
  const isThere = (): boolean =>
    readdirSync(directory, { recursive: true }).some((path) =>
      mine.some((name) => `/${String(path)}`.includes(`/${name}-`)),
    );
  while (isThere()) {
    if (performance.now() > deadlineMs) {
      context.note(`${prefix} is still on the disk`);
      return;
    }
    await Bun.sleep(GONE_PAUSE_MS);
  }
}

function measure(turn: Turn, row: ScenarioRow, variant: Variant): Promise<Measurement | null> {
  switch (row.kind) {
    case "produce":
    case "paced":
      return runProduce(turn, row, variant);
    case "fetch":
      return runFetch(turn, row, variant);
    case "tail":
      return runTail(turn, row, variant);
    case "catch-up":
      return runCatchUp(turn, row, variant);
    case "memory":
      return runMemory(turn, row, variant);
    case "java":
      return runJava(turn, row, variant);
    case "rdkafka":
      return runRdkafkaRow(turn, row, variant);
    case "end-to-end":
      return runSingleRecords(turn, row, variant);
    case "syscalls":
      return runSyscalls(turn, row, variant);
    case "coordination":
      return runCoordination(turn, row, variant);
    case "partitions":
      // It starts its brokers itself; `runTurn` sees to that.
      return Promise.resolve(null);
  }
}

function record({ context }: Turn, measurement: Measurement): void {
  context.measurements.push(measurement);
  context.save();
  const entries = Object.entries(measurement.figures) as [Figure, number][];
  const words = entries.map(([figure, value]) => `${figure} ${value.toFixed(2)}`);
  context.note(
    `${measurement.variant.padEnd(16)} ${measurement.row.padEnd(24)} ${words.join("  ")}`,
  );
}
