import type { MetricDefinition } from "./define.ts";
import { ofProcess } from "./define.ts";

export const processMetrics: readonly MetricDefinition[] = [
  {
    name: "mantou_build_info",
    type: "gauge",
    unit: "1",
    help: "Versions of what runs; the value is always 1.",
    labels: ["version", "commit", "bun", "addon"],
    samples: ({ process: p }) =>
      p === null ? [] : [{ labels: [p.version, p.commit, p.bun, p.addon], value: 1 }],
  },
  ofProcess(
    "histogram",
    "mantou_event_loop_lateness_seconds",
    "seconds",
    "By how much a look at the clock, ten times a second, came late because JavaScript was busy.",
    (p) => p.loopLateness,
  ),
  ofProcess(
    "counter",
    "mantou_gc_collections_total",
    "collections",
    "Garbage collections that were noticed.",
    (p) => p.collections,
  ),
  ofProcess(
    "histogram",
    "mantou_gc_stretch_seconds",
    "seconds",
    "The longest delay seen between two collections, as a tick or as lateness. Bun does not tell how long a collection itself paused.",
    (p) => p.collectionStretch,
  ),
  ofProcess(
    "counter",
    "process_cpu_seconds_total",
    "seconds",
    "CPU time of all threads, user and system.",
    (p) => p.cpuSeconds,
  ),
  ofProcess(
    "gauge",
    "process_resident_memory_bytes",
    "bytes",
    "Resident memory.",
    (p) => p.residentBytes,
  ),
  ofProcess(
    "gauge",
    "mantou_js_heap_bytes",
    "bytes",
    "Memory of the JavaScript heap, without what buffers hold.",
    (p) => p.heapBytes,
  ),
  ofProcess("gauge", "process_open_fds", "files", "Open file descriptors.", (p) => p.openFiles),
  ofProcess(
    "gauge",
    "process_max_fds",
    "files",
    "Descriptors that the process may open.",
    (p) => p.openFilesMax,
  ),
  ofProcess("gauge", "process_threads", "threads", "Threads.", (p) => p.threads),
  ofProcess(
    "gauge",
    "process_start_time_seconds",
    "seconds",
    "When the process started, in seconds since the epoch.",
    (p) => p.startedSeconds,
  ),
];
