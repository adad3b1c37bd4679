import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { wasInterrupted } from "./children.ts";
import type { BenchContext } from "./context.ts";
import { removeInSteps, requireFreeBytes } from "./disk.ts";
import { kafkaKind } from "./kafka.ts";
import { buildLoadgen } from "./loadgen.ts";
import { describeMachine } from "./machine.ts";
import { mantouKind } from "./mantou.ts";
import type { BenchOptions } from "./options.ts";
import { estimatedSeconds } from "./estimate.ts";
import { FORMS, rowsOf, turnsOf } from "./forms.ts";
import { type Results, resultsOf } from "./results.ts";
import { type Block, type Form, runsOn, turnsOfBlock } from "./scenarios.ts";
import { StandstillWatch } from "./standstill.ts";
import { runTurn } from "./turn.ts";

/** The form with what the options change in it. Throws where nothing is left. */
export function formOf(options: BenchOptions): Form {
  const { form: name, only, seconds, repetitions, memorySeconds } = options;
  const form = FORMS[name];
  const wanted = (block: Block): Block => ({
    ...block,
    rows: block.rows
      .filter((row) => only === null || only.test(row.id))
      .map((row) =>
        row.kind === "memory" && memorySeconds !== null ? { ...row, seconds: memorySeconds } : row,
      ),
  });
  const blocks = form.blocks.map(wanted).filter((block) => block.rows.length > 0);
  if (blocks.length === 0) {
    const ids = rowsOf(form).map((row) => row.id);
    throw new Error(`--only matches none of: ${ids.join(", ")}`);
  }
  const turns = repetitions === null ? form.turns : turnsOf(repetitions);
  return { ...form, blocks, turns, secondsPerRun: seconds ?? form.secondsPerRun };
}

/**
 * Runs a whole benchmark. Its data is gone afterwards, however it ends.
 * @param save called with all that is known whenever something was measured.
 */
export async function runBench(
  options: BenchOptions,
  note: (line: string) => void,
  save: (results: Results) => void,
): Promise<Results> {
  const form = formOf(options);
  mkdirSync(options.dataDirectory, { recursive: true });
  requireFreeBytes(options.dataDirectory, 0, options.floorBytes);
  note("building and fetching what is missing");
  const loadgen = await buildLoadgen();
  const mantou = await mantouKind({ executable: options.executable, build: options.build });
  const kafka = await kafkaKind();
  const machine = await describeMachine(options.dataDirectory);
  const standstill = new StandstillWatch(machine.processors);
  standstill.start(loadgen, note);
  const dataDirectory = mkdtempSync(join(options.dataDirectory, "mantou-bench-"));
  const beganAtMs = performance.now();
  note(`this takes about ${Math.ceil(estimatedSeconds(form) / 60)} minutes`);
  const results = (): Results => ({
    ...resultsOf(form.name, context.measurements, context.failures),
    secondsPerRun: form.secondsPerRun,
    turns: form.turns,
    machine,
    brokers: { mantou: mantou.description, kafka: kafka.description },
    tookSeconds: Math.round((performance.now() - beganAtMs) / 1000),
  });
  const context: BenchContext = {
    form,
    loadgen,
    standstill,
    preparations: [],
    kinds: { mantou, kafka },
    dataDirectory,
    floorBytes: options.floorBytes,
    measurements: [],
    failures: [],
    rates: new Map(),
    note,
    save: () => save(results()),
  };
  try {
    for (const block of form.blocks) {
      const turns = turnsOfBlock(form, block);
      for (const [index, system] of turns.entries()) {
        if (!block.rows.some((row) => runsOn(row, system))) continue;
        note(`${block.name}, turn ${index + 1} of ${turns.length}: ${system}`);
        try {
          await runTurn(context, block, system, index);
        } catch (error) {
          if (wasInterrupted()) throw error;
          context.failures.push(`${block.name}, ${system}: ${(error as Error).message}`);
          note(`failed: ${context.failures.at(-1)}`);
        }
      }
    }
  } finally {
    standstill.stop();
    await removeInSteps(dataDirectory);
  }
  return results();
}
