import {
  checkContent,
  checkTransactional,
  countSettled,
  createTopic,
  expectationOf,
} from "./content-check.ts";
import { cpuFigures, type Measurement, sharesOf } from "./figures.ts";
import { runEndToEnd, runJavaProducer } from "./java-producer.ts";
import { rdkafkaPerformance, runRdkafka } from "./librdkafka.ts";
import { type LoadReport, runLoad } from "./loadgen.ts";
import {
  type EndToEndRow,
  type FetchRow,
  type JavaRow,
  type ProduceRow,
  type RdkafkaRow,
  type SyscallsRow,
  type Variant,
  VARIANTS,
} from "./scenarios.ts";
import { median } from "./statistics.ts";
import { countSyscalls } from "./syscalls.ts";
import { type BenchContext, BYTES_PER_SECOND_MAX, inWindow, type Turn } from "./context.ts";

const topicOf = (row: string, variant: Variant): string => `${row}.${variant}`;
/** What fetch rows read: as slow as any broker can write it, and small enough for the cache. */
const FETCHED_SECONDS = 2;
const FETCHED_MB_PER_SECOND = 100;

/** Null where the row's pace is a share of something that nobody has measured yet. */
export async function runProduce(
  turn: Turn,
  row: ProduceRow,
  variant: Variant,
): Promise<Measurement | null> {
  const { context, client, broker } = turn;
  const rate = row.pace === undefined ? null : rateOf(context, row);
  if (row.pace !== undefined && rate === null) return null;
  const topic = topicOf(row.id, variant);
  const { partitions, connections, depth, batchBytes, recordBytes, acks } = row;
  await createTopic(client, topic, partitions, VARIANTS[variant].configs);
  const load = {
    mode: "produce",
    topic,
    partitions,
    connections,
    depth,
    batchBytes,
    recordBytes,
    acks,
    seconds: context.form.secondsPerRun,
    ...(rate === null ? {} : { rate }),
  } as const;
  const { result, window } = await inWindow(
    turn,
    () => runLoad(context.loadgen, broker.address, load),
    rate === null ? BYTES_PER_SECOND_MAX : undefined,
  );
  const { report } = result;
  const expected = expectationOf(report, { topic, partitions, recordBytes, connections, depth });
  // Without answers the generator counts what it has sent, and some of that was cut off.
  const acknowledged =
    acks === 0 ? await countSettled(client, topic, partitions) : expected.acknowledged;
  const check = await checkContent(client, { ...expected, acknowledged });
  const bytes = (check.records / expected.recordsPerBatch) * (report.bytes / report.requests);
  return {
    row: row.id,
    variant,
    turn: turn.index,
    figures: { ...loadFigures(report), ...cpuFigures(window, bytes) },
    check,
    ...sharesOf(window),
  };
}

/** Writes the same volume to both brokers, then reads it again and again. */
export async function runFetch(
  turn: Turn,
  row: FetchRow,
  variant: Variant,
): Promise<Measurement | null> {
  const { context, broker, client } = turn;
  const { partitions, connections, batchBytes } = row;
  const topic = topicOf(row.id, variant);
  await createTopic(client, topic, partitions, VARIANTS[variant].configs);
  const common = { topic, partitions, depth: 1 } as const;
  const recordBytes = 1024;
  const written = { ...common, connections: 1, depth: 5, recordBytes };
  const { report: writing } = await runLoad(context.loadgen, broker.address, {
    ...written,
    mode: "produce",
    acks: 1,
    batchBytes,
    seconds: FETCHED_SECONDS,
    rate: FETCHED_MB_PER_SECOND,
  });
  const check = await checkContent(client, expectationOf(writing, written));
  const { result, window } = await inWindow(turn, () =>
    runLoad(context.loadgen, broker.address, {
      ...common,
      mode: "fetch",
      connections,
      seconds: context.form.secondsPerRun,
    }),
  );
  const { report } = result;
  if (report.bytes === 0) throw new Error(`nothing could be fetched from ${topic}`);
  const figures = { ...loadFigures(report), ...cpuFigures(window, report.bytes) };
  return { row: row.id, variant, turn: turn.index, figures, check, ...sharesOf(window) };
}

export async function runJava(turn: Turn, row: JavaRow, variant: Variant): Promise<Measurement> {
  const { client, broker } = turn;
  const { partitions, records, recordBytes, batchBytes, codec, transactionMs } = row;
  const topic = topicOf(row.id, variant);
  await createTopic(client, topic, partitions, VARIANTS[variant].configs);
  const load = { topic, records, recordBytes, batchBytes, codec, transactionMs };
  const { result, window } = await inWindow(turn, () => runJavaProducer(broker.address, load));
  const acknowledged = result.report.records;
  const check =
    transactionMs === undefined
      ? await checkContent(client, {
          ...{ topic, partitions, recordBytes, acknowledged },
          recordsPerBatch: 1,
          batchesUnderWayMax: 0,
        })
      : await checkTransactional(client, topic, partitions, acknowledged);
  const { mbPerSecond, p50Ms, p99Ms } = result.report;
  const cpu = cpuFigures(window, acknowledged * recordBytes);
  return {
    row: row.id,
    variant,
    turn: turn.index,
    figures: { mbPerSecond, p50Ms, p99Ms, ...cpu },
    check,
    ...sharesOf(window),
  };
}

export async function runRdkafkaRow(
  turn: Turn,
  row: RdkafkaRow,
  variant: Variant,
): Promise<Measurement> {
  const { client, broker, index } = turn;
  const { partitions, records, recordBytes, batchBytes } = row;
  const topic = topicOf(row.id, variant);
  await createTopic(client, topic, partitions, VARIANTS[variant].configs);
  await rdkafkaPerformance();
  const { result, window } = await inWindow(turn, () =>
    runRdkafka(broker.address, { topic, records, recordBytes, batchBytes }),
  );
  const check = await checkContent(client, {
    ...{ topic, partitions, recordBytes, acknowledged: result.report.delivered },
    recordsPerBatch: 1,
    batchesUnderWayMax: 0,
  });
  const cpu = cpuFigures(window, result.report.delivered * recordBytes);
  const figures = { mbPerSecond: result.report.mbPerSecond, ...cpu };
  return { row: row.id, variant, turn: index, figures, check, ...sharesOf(window) };
}

export async function runSingleRecords(
  { client, broker, index }: Turn,
  row: EndToEndRow,
  variant: Variant,
): Promise<Measurement> {
  const topic = topicOf(row.id, variant);
  await createTopic(client, topic, 1, VARIANTS[variant].configs);
  const { records, recordBytes } = row;
  const figures = await runEndToEnd(broker.address, { topic, records, recordBytes });
  const check = await checkContent(client, {
    topic,
    partitions: 1,
    recordBytes,
    acknowledged: records,
    recordsPerBatch: 1,
    // It may warm up with records of its own.
    batchesUnderWayMax: records,
  });
  return { row: row.id, variant, turn: index, figures: { ...figures }, check };
}

/** Apart from the rows that are timed: counting makes every call a little dearer. */
export async function runSyscalls(
  { context, client, broker, index }: Turn,
  row: SyscallsRow,
  variant: Variant,
): Promise<Measurement> {
  const topic = topicOf(row.id, variant);
  const { partitions, connections, depth, batchBytes, recordBytes, acks } = row.load;
  await createTopic(client, topic, partitions, VARIANTS[variant].configs);
  const counter = countSyscalls(broker.pid);
  const sizes = { batchBytes, recordBytes, acks, seconds: context.form.secondsPerRun };
  const load = { mode: "produce", topic, partitions, connections, depth, ...sizes } as const;
  const { report } = await runLoad(context.loadgen, broker.address, load);
  const syscallsPerMb = (await counter.stop()) / (report.bytes / 1e6);
  return { row: row.id, variant, turn: index, figures: { syscallsPerMb } };
}

function loadFigures(report: LoadReport) {
  const { mbPerSecond, latencyUs } = report;
  if (report.unanswered > 0) throw new Error("the broker left requests without an answer");
  return { mbPerSecond, p50Ms: latencyUs.p50 / 1000, p99Ms: latencyUs.p99 / 1000 };
}

function rateOf({ measurements, rates }: BenchContext, row: ProduceRow): number | null {
  const known = rates.get(row.id);
  if (known !== undefined || row.pace === undefined) return known ?? null;
  const { row: source, variants, share } = row.pace;
  const peaks: number[] = [];
  for (const variant of variants) {
    const values = measurements
      .filter((measurement) => measurement.row === source && measurement.variant === variant)
      .flatMap(({ figures }) => figures.mbPerSecond ?? []);
    if (values.length === 0) return null;
    peaks.push(median(values));
  }
  const rate = share * Math.min(...peaks);
  rates.set(row.id, rate);
  return rate;
}
