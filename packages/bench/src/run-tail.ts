import { type BenchContext, inWindow, type Turn } from "./context.ts";
import { checkContent, countRecords, createTopic, expectationOf } from "./content-check.ts";
import { freeBytes, syncVolume } from "./disk.ts";
import { cpuFigures, type Measurement, sharesOf } from "./figures.ts";
import {
  forgetPages,
  type Load,
  type LoadReport,
  type LoadRun,
  runLoad,
  startLoad,
} from "./loadgen.ts";
import { type CatchUpRow, type TailRow, type Variant, VARIANTS } from "./scenarios.ts";

const RECORD_BYTES = 1024;
const CONNECTIONS = 8;
const DEPTH = 5;
/** So that the readers wait already when the first batch comes. */
const LEAD_MS = 200;
/** A tail is stopped when its producer has ended, so this only bounds it. */
const SPARE_SECONDS = 60;
const CATCH_UP_SECONDS_MAX = 180;
/** What the runs beside a catch-up may write. */
const BESIDE_BYTES = 3e9;

interface SteadyLoad {
  readonly topic: string;
  readonly partitions: number;
  readonly batchBytes: number;
  readonly mbPerSecond: number;
  readonly readers: number;
  readonly seconds: number;
}

/**
 * A producer with a fixed pace, and readers at the log's end; checks that every reader got every
 * record in its order. The producer goes on for `seconds`, or until `during` has ended.
 */
export async function steadyLoad<T>(
  { context, broker, client }: Turn,
  load: SteadyLoad,
  during?: () => Promise<T>,
): Promise<{ readonly tail: LoadReport; readonly cpuSeconds: number; readonly during?: T }> {
  const { topic, partitions, batchBytes, readers, mbPerSecond, seconds } = load;
  const common = { topic, partitions };
  const tail = startLoad(context.loadgen, broker.address, {
    ...common,
    ...{ mode: "tail", connections: readers, depth: 1, seconds: seconds + SPARE_SECONDS },
  });
  // Heard of where it is awaited; until then it must not end the process.
  tail.ended.catch(() => {});
  await Bun.sleep(LEAD_MS);
  const sizes = { batchBytes, recordBytes: RECORD_BYTES, acks: -1, rate: mbPerSecond } as const;
  const producer = startLoad(context.loadgen, broker.address, {
    ...common,
    ...sizes,
    ...{ mode: "produce", connections: CONNECTIONS, depth: DEPTH, stamp: true, seconds },
  });
  const settled = Promise.allSettled([tail.ended, producer.ended]);
  let result: T | undefined;
  let produced: LoadRun;
  try {
    if (during !== undefined) {
      result = await during();
      producer.stop();
    }
    produced = await producer.ended;
  } finally {
    producer.stop();
    tail.stop();
    await settled;
  }
  const tailed = await tail.ended;
  const shape = { recordBytes: RECORD_BYTES, connections: CONNECTIONS, depth: DEPTH };
  await checkContent(client, expectationOf(produced.report, { ...common, ...shape }));
  const records = await countRecords(client, topic, partitions);
  if (tailed.report.records !== records * readers) {
    throw new Error(
      `the content check failed: ${topic}: ${readers} readers of ${records} records have got ` +
        `${tailed.report.records} in all`,
    );
  }
  return {
    tail: tailed.report,
    cpuSeconds: tailed.cpuSeconds + produced.cpuSeconds,
    ...(result === undefined ? {} : { during: result }),
  };
}

export async function runTail(turn: Turn, row: TailRow, variant: Variant): Promise<Measurement> {
  const topic = `${row.id}.${variant}`;
  await createTopic(turn.client, topic, row.partitions, VARIANTS[variant].configs);
  const seconds = turn.context.form.secondsPerRun;
  const { result, window } = await inWindow(turn, () =>
    steadyLoad(turn, { ...row, topic, seconds }),
  );
  const { bytes, activeSeconds, latencyUs } = result.tail;
  const figures = {
    mbPerSecond: bytes / 1e6 / activeSeconds,
    p50Ms: latencyUs.p50 / 1000,
    p99Ms: latencyUs.p99 / 1000,
    ...cpuFigures(window, bytes),
  };
  return { row: row.id, variant, turn: turn.index, figures, ...sharesOf(window) };
}

/** How far the tail is moved by a reader who goes through an old log meanwhile. */
export async function runCatchUp(
  turn: Turn,
  row: CatchUpRow,
  variant: Variant,
): Promise<Measurement> {
  const { context, client, directory, broker } = turn;
  const base = `${row.id}.${variant}`;
  const topicOf = async (name: string): Promise<string> => {
    const topic = `${base}.${name}`;
    await createTopic(client, topic, row.partitions, VARIANTS[variant].configs);
    return topic;
  };
  const old = await topicOf("old");
  await writeOld(turn, row, old);
  // Or the tail that runs alone would pay for the writeback of gigabytes.
  await syncVolume(directory);
  const load = { ...row, readers: 1, seconds: context.form.secondsPerRun };
  const alone = await steadyLoad(turn, { ...load, topic: await topicOf("alone") });
  const beside = await topicOf("beside");
  await syncVolume(directory);
  if (row.isCold) await forgetPages(context.loadgen, directory);
  const reading: Load = {
    ...{ mode: "fetch", topic: old, partitions: row.partitions, connections: 1, depth: 1 },
    ...{ once: row.isCold, seconds: row.isCold ? CATCH_UP_SECONDS_MAX : load.seconds },
  };
  const both = await steadyLoad(
    turn,
    { ...load, topic: beside, seconds: CATCH_UP_SECONDS_MAX },
    () => runLoad(context.loadgen, broker.address, reading),
  );
  const report = both.during?.report;
  if (report === undefined || report.bytes === 0) throw new Error(`${old} could not be read`);
  const aloneP99Ms = alone.tail.latencyUs.p99 / 1000;
  const p99Ms = both.tail.latencyUs.p99 / 1000;
  const mbPerSecond = report.bytes / 1e6 / report.activeSeconds;
  const figures = { mbPerSecond, p99Ms, aloneP99Ms, p99Growth: p99Ms / aloneP99Ms };
  return { row: row.id, variant, turn: turn.index, figures };
}

async function writeOld({ context, client, broker }: Turn, row: CatchUpRow, topic: string) {
  const { partitions, batchBytes } = row;
  const written = { topic, partitions, recordBytes: RECORD_BYTES, connections: 8, depth: 5 };
  const { report } = await runLoad(context.loadgen, broker.address, {
    ...written,
    ...{ mode: "produce", acks: 1, batchBytes, seconds: CATCH_UP_SECONDS_MAX },
    totalBytes: oldBytes(context, row),
  });
  await checkContent(client, expectationOf(report, written));
}

/** As asked, or what the disk has room for; the same for all who come after. */
export function oldBytes(
  { rates, dataDirectory, floorBytes }: BenchContext,
  row: CatchUpRow,
): number {
  const key = `${row.id} bytes`;
  const free = freeBytes(dataDirectory) - floorBytes - BESIDE_BYTES;
  const bytes = rates.get(key) ?? Math.floor(Math.min(row.bytes, free));
  if (bytes < 1e8) throw new Error(`${row.id}: the disk has no room for a log to catch up with`);
  rates.set(key, bytes);
  return bytes;
}
