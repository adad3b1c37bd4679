import type { CleanerStats } from "@mantou/io";
import type { MetricDefinition } from "./define.ts";
import { ofBroker } from "./define.ts";

const counter = (
  name: string,
  unit: string,
  help: string,
  source: (stats: CleanerStats) => number,
): MetricDefinition =>
  ofBroker("counter", `cleaner_${name}`, unit, help, ({ store }) =>
    store === null ? null : source(store.cleaner),
  );

/** Compaction: what the engine's thread has done, and what it could not. */
export const cleanerMetrics: readonly MetricDefinition[] = [
  counter("runs_total", "runs", "Runs of compaction over one log.", (stats) => stats.runsTotal),
  counter(
    "failures_total",
    "runs",
    "Runs that ended with an error; the log was left as it was.",
    (stats) => stats.failuresTotal,
  ),
  counter(
    "read_bytes_total",
    "bytes",
    "Bytes that compaction has read.",
    (stats) => stats.readBytesTotal,
  ),
  counter(
    "written_bytes_total",
    "bytes",
    "Bytes that compaction has written.",
    (stats) => stats.writtenBytesTotal,
  ),
  ofBroker(
    "gauge",
    "cleaner_last_run_seconds",
    "seconds",
    "How long the last run took.",
    ({ store }) => (store === null ? null : store.cleaner.lastRunMs / 1000),
  ),
  ofBroker(
    "gauge",
    "cleaner_last_map_bytes",
    "bytes",
    "Memory for keys that the last run had.",
    ({ store }) => store?.cleaner.lastMapBytes ?? null,
  ),
  ofBroker(
    "gauge",
    "cleaner_uncleanable_logs",
    "logs",
    "Compacted logs with a batch that cannot be read: they are not compacted before a restart.",
    ({ counters }) => counters.uncleanableLogs,
  ),
];
