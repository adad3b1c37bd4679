import type { Log2Histogram } from "@mantou/io";
import type { MetricDefinition, Value } from "./define.ts";
import { ofBroker } from "./define.ts";

/** Powers of two from 16 microseconds to 17 seconds, as the engine counts durations. */
const TIMES = { fromBits: 4, toBits: 24, bound: (bits: number) => 2 ** bits / 1e6, scale: 1e-6 };
/** What is counted in whole numbers: the largest below each power of two. */
const NUMBERS = { fromBits: 1, toBits: 14, bound: (bits: number) => 2 ** bits - 1, scale: 1 };
const SIZES = { fromBits: 9, toBits: 28, bound: (bits: number) => 2 ** bits - 1, scale: 1 };

/** The engine's powers of two as bounds; what lies outside of the range shown is added to its ends. */
function engineHistogram(from: Log2Histogram | undefined, shown: typeof TIMES): Value {
  if (from === undefined) return null;
  const bounds: number[] = [];
  const counts: number[] = [];
  let count = 0;
  for (const [bits, inBucket] of from.counts.entries()) {
    count += inBucket;
    if (bits < shown.fromBits || bits > shown.toBits) continue;
    bounds.push(shown.bound(bits));
    counts.push(count);
    count = 0;
  }
  return { bounds, counts: [...counts, count], sum: from.sum * shown.scale };
}

export const storeMetrics: readonly MetricDefinition[] = [
  ofBroker(
    "counter",
    "log_appended_bytes_total",
    "bytes",
    "Bytes written to logs.",
    (b) => b.store?.appendedBytesTotal ?? null,
  ),
  ofBroker(
    "histogram",
    "log_append_duration_seconds",
    "seconds",
    "From the hand-over of batches until they are in the page cache, by the oldest batch of each pass.",
    (b) => engineHistogram(b.store?.appendMicros, TIMES),
  ),
  ofBroker(
    "histogram",
    "log_flush_duration_seconds",
    "seconds",
    "How long making one group durable took (fsync). Answers with acks=all wait for it.",
    (b) => engineHistogram(b.store?.flushMicros, TIMES),
  ),
  ofBroker(
    "counter",
    "log_groups_total",
    "groups",
    "Groups that were made durable.",
    (b) => b.store?.groupsTotal ?? null,
  ),
  ofBroker(
    "counter",
    "log_flushes_total",
    "calls",
    "fdatasync, fsync and syncfs calls for groups.",
    (b) => b.store?.flushesTotal ?? null,
  ),
  ofBroker("histogram", "log_group_batches", "batches", "Batches that shared a flush.", (b) =>
    engineHistogram(b.store?.groupBatches, NUMBERS),
  ),
  ofBroker("histogram", "log_group_bytes", "bytes", "Bytes that shared a flush.", (b) =>
    engineHistogram(b.store?.groupBytes, SIZES),
  ),
  ofBroker(
    "counter",
    "log_reads_total",
    "ranges",
    "Ranges of logs that fetches asked for.",
    (b) => b.store?.locatesTotal ?? null,
  ),
  ofBroker(
    "counter",
    "log_page_cache_misses_total",
    "ranges",
    "Ranges that were not in the page cache: a disk was read.",
    (b) => b.store?.pageCacheMissesTotal ?? null,
  ),
  ofBroker(
    "gauge",
    "log_files_open",
    "files",
    "Segment files that are open.",
    (b) => b.store?.filesOpen ?? null,
  ),
  ofBroker(
    "gauge",
    "disk_free_bytes",
    "bytes",
    "Free space on the volume of the data directory.",
    (b) => b.store?.freeBytes ?? null,
  ),
  ofBroker(
    "gauge",
    "disk_accepts_appends",
    "0 or 1",
    "1 while records are taken; 0 where the disk is too full.",
    (b) => Number(b.acceptsAppends),
  ),
];
