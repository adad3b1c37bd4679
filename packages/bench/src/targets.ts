import { BROKER_ROW, type Figure } from "./figures.ts";
import { produceRowId } from "./forms.ts";
import type { Variant } from "./scenarios.ts";

/** A figure to reach, as ours by theirs. */
export interface Target {
  readonly row: string;
  readonly figure: Figure;
  readonly ours: Variant;
  readonly theirs: Variant;
  /** The ratio that is wanted: at most this where less is better, at least this where more is. */
  readonly ratio: number;
}

/** A figure of ours to reach for itself, whatever Kafka's is: at most so much. */
export interface Limit {
  readonly row: string;
  readonly figure: Figure;
  readonly ours: Variant;
  readonly most: number;
}

const versusStock = (
  row: string,
  figure: Figure,
  pageCache: number,
  fsync: number,
): readonly Target[] => [
  { row, figure, ours: "ours-page-cache", theirs: "kafka-stock", ratio: pageCache },
  { row, figure, ours: "ours-fsync", theirs: "kafka-stock", ratio: fsync },
];

const versusFlush = (row: string, figure: Figure, ratio: number): Target => ({
  row,
  figure,
  ours: "ours-fsync",
  theirs: "kafka-flush1",
  ratio,
});

const produceTargets = (partitions: number, batchKb: 16 | 64): readonly Target[] => {
  const row = produceRowId(partitions, batchKb);
  const [pageCache, fsync, flush] = batchKb === 64 ? [0.3, 0.45, 0.2] : [0.25, 0.4, 0.15];
  return [
    ...versusStock(row, "mbPerSecond", partitions === 1 ? 1.6 : 2, 1),
    versusFlush(row, "mbPerSecond", 4),
    ...versusStock(row, "cpuPerGb", pageCache, fsync),
    versusFlush(row, "cpuPerGb", flush),
  ];
};

const pacedTargets = (partitions: number, batchKb: number): readonly Target[] => [
  ...versusStock(`half-stock-${partitions}p-${batchKb}k`, "p99Ms", 0.4, 0.8),
  versusFlush(`half-flush1-${partitions}p-${batchKb}k`, "p99Ms", 0.3),
];

const fsyncVersusStock = (row: string, figure: Figure, ratio: number): Target => ({
  row,
  figure,
  ours: "ours-fsync",
  theirs: "kafka-stock",
  ratio,
});

const broker = (figure: Figure, ratio: number): Target =>
  fsyncVersusStock(BROKER_ROW, figure, ratio);

/** What this project wants to reach against Apache Kafka on the same machine. */
export const TARGETS: readonly Target[] = [
  ...[1, 16, 128].flatMap((partitions) => [
    ...produceTargets(partitions, 64),
    ...produceTargets(partitions, 16),
  ]),
  ...pacedTargets(16, 64),
  ...pacedTargets(16, 16),
  ...["fetch-16p-64k-8c", "fetch-1p-64k-1c", "fetch-1p-64k-4c", "fetch-1p-64k-16c"].map(
    (row): Target => ({
      row,
      figure: "cpuPerGb",
      ours: "ours-fsync",
      theirs: "kafka-stock",
      ratio: 0.33,
    }),
  ),
  ...["java-16p-64k", "java-16p-16k"].flatMap((row) => versusStock(row, "mbPerSecond", 1, 1)),
  fsyncVersusStock("commits", "commitsPerSecond", 1.5),
  fsyncVersusStock("rebalance", "rebalanceMs", 0.5),
  fsyncVersusStock("transactions", "transactionsPerSecond", 1.5),
  broker("startMs", 0.03),
  broker("idleMb", 0.2),
  broker("loadedMb", 0.15),
];

const limit = (row: string, figure: Figure, most: number): Limit => ({
  row,
  figure,
  ours: "ours-fsync",
  most,
});

export const LIMITS: readonly Limit[] = [
  limit("catch-up-cold", "p99Growth", 2),
  limit("partitions-10000", "idleCpuPercent", 2),
  limit("partitions-10000", "restartMs", 2000),
  limit("partitions-10000", "killedRestartMs", 6000),
  limit("memory", "memoryGrowth", 1.1),
  limit(BROKER_ROW, "startMs", 100),
  limit(BROKER_ROW, "idleMb", 70),
  limit(BROKER_ROW, "gcPauseMs", 20),
];
