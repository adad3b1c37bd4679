import { createTopic } from "./content-check.ts";
import { commitsPerSecond } from "./coordination/commits.ts";
import { measureRebalances } from "./coordination/rebalance.ts";
import { transactionsPerSecond } from "./coordination/transactions.ts";
import type { Turn } from "./context.ts";
import type { Measurement } from "./figures.ts";
import { ownCpuSeconds } from "./proc.ts";
import type { CoordinationRow, Variant } from "./scenarios.ts";

const PARTITIONS = 10;

/** What coordinators do: commits, rebalances, transactions; asked by a client of our own. */
export async function runCoordination(
  turn: Turn,
  row: CoordinationRow,
  variant: Variant,
): Promise<Measurement> {
  const topic = `${row.id}.${variant}`;
  await createTopic(turn.client, topic, PARTITIONS, {});
  const figures = await figuresOf(turn, row, topic);
  return { row: row.id, variant, turn: turn.index, figures };
}

async function figuresOf(
  { broker, client, context }: Turn,
  row: CoordinationRow,
  topic: string,
): Promise<Measurement["figures"]> {
  const { secondsPerRun } = context.form;
  switch (row.what) {
    case "commits":
      return { commitsPerSecond: await commitsPerSecond(client, topic, secondsPerRun) };
    case "rebalance": {
      const before = ownCpuSeconds(broker.pid);
      const { medianMs, rebalances } = await measureRebalances(
        context.loadgen,
        client,
        broker.address,
        topic,
      );
      const cpuMs = (ownCpuSeconds(broker.pid) - before) * 1000;
      return { rebalanceMs: medianMs, rebalanceCpuMs: cpuMs / rebalances };
    }
    case "transactions": {
      const rate = await transactionsPerSecond(client, topic, PARTITIONS, secondsPerRun);
      return { transactionsPerSecond: rate };
    }
  }
}
