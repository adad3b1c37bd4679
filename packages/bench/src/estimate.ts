import type { System } from "./brokers.ts";
import { type Form, runsOn, type ScenarioRow, turnsOfBlock, VARIANTS } from "./scenarios.ts";

/** Starting twice, stopping twice, removing the data: as seen on two processors. */
const TURN_SECONDS: Readonly<Record<System, number>> = { kafka: 9, mantou: 4 };
/** Around a run: its topic, two syncs, the check of the content. */
const RUN_SECONDS: Readonly<Record<System, number>> = { kafka: 2.5, mantou: 2.3 };

/** How long a form takes, about. */
export function estimatedSeconds(form: Form): number {
  let seconds = 0;
  for (const block of form.blocks) {
    for (const system of turnsOfBlock(form, block)) {
      const rows = block.rows.filter((row) => runsOn(row, system));
      if (rows.length === 0) continue;
      seconds += TURN_SECONDS[system] + form.warmupSeconds + form.idleSeconds;
      for (const row of rows) {
        const runs = row.variants.filter((variant) => VARIANTS[variant].system === system);
        seconds += runs.length * (RUN_SECONDS[system] + rowSeconds(form, row));
      }
    }
  }
  return seconds;
}

function rowSeconds({ secondsPerRun }: Form, row: ScenarioRow): number {
  switch (row.kind) {
    case "produce":
      // Memory for twice what it may write is touched before.
      return secondsPerRun * 2.7;
    case "fetch":
      // It writes first what it reads.
      return secondsPerRun + 2;
    case "tail":
      return secondsPerRun + 1;
    case "catch-up":
      // Written and, from a disk, read at about half a gigabyte a second.
      return 2 * secondsPerRun + (row.bytes / 5e8) * (row.isCold ? 2 : 1);
    case "memory":
      return row.seconds;
    case "java":
      return row.records / 50_000;
    case "rdkafka":
      return row.records / 250_000;
    case "end-to-end":
      return row.records / 500;
    case "partitions":
      return 20 + row.partitions / 100;
    case "coordination":
      return secondsPerRun + 3;
    default:
      return secondsPerRun;
  }
}
