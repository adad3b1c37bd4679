import type { MetricDefinition } from "./define.ts";
import { labelled, ofBroker } from "./define.ts";

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

export const startMetrics: readonly MetricDefinition[] = [
  ofBroker("gauge", "ready", "0 or 1", "1 while clients are served.", (b) =>
    Number(b.phase === "serving"),
  ),
  ofBroker(
    "gauge",
    "start_duration_seconds",
    "seconds",
    "How long the last start took until clients were served.",
    (b) => seconds(b.start.totalMs),
  ),
  labelled(
    "gauge",
    "start_phase_duration_seconds",
    "seconds",
    "How long the parts of the last start took: store (checkpoint), metadata (its log), logs (opening, and recovery after a crash).",
    ["phase"],
    (b) =>
      Object.entries({ store: b.start.storeMs, metadata: b.start.metadataMs, logs: b.start.logsMs })
        .filter((entry): entry is [string, number] => entry[1] !== null)
        .map(([phase, ms]) => ({ labels: [phase], value: ms / 1000 })),
  ),
  ofBroker(
    "gauge",
    "start_clean",
    "0 or 1",
    "1 where the stop before was clean, so that no log had to be recovered.",
    (b) => (b.start.clean === null ? null : Number(b.start.clean)),
  ),
];
