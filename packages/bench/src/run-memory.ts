import { Connection } from "@mantou/client";
import { HOST } from "./brokers.ts";
import type { Turn } from "./context.ts";
import { createTopic } from "./content-check.ts";
import type { Measurement } from "./figures.ts";
import { residentBytes } from "./proc.ts";
import { steadyLoad } from "./run-tail.ts";
import { type MemoryRow, type Variant, VARIANTS } from "./scenarios.ts";
import { median } from "./statistics.ts";

const SAMPLE_MS = 1000;
/** Ten connections come and go in a second. */
const CHURN_MS = 100;
const MINUTE_SAMPLES = 60;
const MB = 1e6;

/** Resident memory, second by second, under a load that does not change. */
export async function runMemory(
  turn: Turn,
  row: MemoryRow,
  variant: Variant,
): Promise<Measurement> {
  const { broker, client, index } = turn;
  const topic = `${row.id}.${variant}`;
  await createTopic(client, topic, row.partitions, VARIANTS[variant].configs);
  const samples: number[] = [];
  const sampler = setInterval(() => samples.push(residentBytes(broker.pid) / MB), SAMPLE_MS);
  const over = new AbortController();
  const churn = comeAndGo(broker.port, over.signal);
  // Heard of where it is awaited; until then it must not end the process.
  churn.catch(() => {});
  try {
    await steadyLoad(turn, { ...row, topic, readers: 1 });
  } finally {
    clearInterval(sampler);
    over.abort();
    await churn;
  }
  return { row: row.id, variant, turn: index, figures: memoryFigures(samples) };
}

async function comeAndGo(port: number, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const connection = await Connection.open({ host: HOST, port });
    connection.close();
    await Bun.sleep(CHURN_MS);
  }
}

/**
 * Of samples that were taken every second, in MB: the medians of the first and the last minute; of
 * each half where there are less than two minutes.
 */
export function memoryFigures(samples: readonly number[]) {
  const stretch = Math.max(1, Math.min(MINUTE_SAMPLES, Math.floor(samples.length / 2)));
  const firstMinuteMb = median(samples.slice(0, stretch));
  const lastMinuteMb = median(samples.slice(-stretch));
  const memoryGrowth = lastMinuteMb / firstMinuteMb;
  return { firstMinuteMb, lastMinuteMb, mostMb: Math.max(...samples), memoryGrowth };
}
