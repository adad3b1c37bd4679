import type { CatchUpRow, MemoryRow, RdkafkaRow, TailRow } from "./scenarios.ts";

/** What both brokers can do with ease, so that all there is to see is the time a batch takes. */
const STEADY_MB_PER_SECOND = 50;
const STEADY = {
  partitions: 16,
  batchBytes: 64 * 1024,
  mbPerSecond: STEADY_MB_PER_SECOND,
} as const;

export function tailRow(readers: number): TailRow {
  const who = readers === 1 ? "1 reader" : `${readers} readers`;
  return {
    id: `tail-16p-64k-${readers}r`,
    title: `tail, ${who} of 16 partitions, ${STEADY_MB_PER_SECOND} MB/s in`,
    kind: "tail",
    variants: ["kafka-stock", "ours-fsync", "ours-page-cache"],
    ...STEADY,
    readers,
  };
}

export const catchUpRow = (isCold: boolean, gigabytes: number): CatchUpRow => ({
  id: isCold ? "catch-up-cold" : "catch-up-cache",
  title: `catch-up ${isCold ? "from the disk" : "from cache"}, ${gigabytes} GB, beside a tail`,
  kind: "catch-up",
  // From a disk, batches that are flushed queue behind reads, and those that are not do not.
  variants: isCold
    ? ["kafka-stock", "ours-fsync", "ours-page-cache"]
    : ["kafka-stock", "ours-fsync"],
  ...STEADY,
  bytes: gigabytes * 1e9,
  isCold,
});

/** Kafka's heap has a fixed size, so only ours is watched. */
export const memoryRow: MemoryRow = {
  id: "memory",
  title: "ten minutes of 20 MB/s in, a tail, connections that come and go",
  kind: "memory",
  variants: ["ours-fsync"],
  ...STEADY,
  mbPerSecond: 20,
  seconds: 600,
};

export const rdkafkaRow: RdkafkaRow = {
  id: "rdkafka-16p-64k",
  title: "librdkafka's rdkafka_performance, 16 partitions, 64 KB",
  kind: "rdkafka",
  variants: ["kafka-stock", "ours-fsync", "ours-page-cache"],
  partitions: 16,
  batchBytes: 64 * 1024,
  recordBytes: 1024,
  records: 1_000_000,
};
