/**
 * `bun run sim --seed N [--steps M] [--trace FILE] [--runs R]`: runs the broker in virtual time.
 * The same seed gives the same run, and the same hash. With `--runs` the seeds N, N+1, … are run
 * until one fails.
 */
import { parseArgs } from "node:util";
import type { SimulationResult } from "./simulation.ts";
import { STEPS_DEFAULT, simulate } from "./simulation.ts";

const LINES_SHOWN = 40;

const USAGE = "usage: bun run sim [--seed N] [--steps M] [--runs R] [--trace FILE] [--keep-going]";

function options() {
  try {
    return parseArgs({
      options: {
        seed: { type: "string", default: "1" },
        steps: { type: "string", default: String(STEPS_DEFAULT) },
        runs: { type: "string", default: "1" },
        trace: { type: "string" },
        "keep-going": { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (text !== "" && Number.isSafeInteger(value) && value >= 0) return value;
  return refuse(`--${name} is a whole number, not "${text}"`);
}

function refuse(why: string): never {
  console.error(`sim: ${why}\n${USAGE}`);
  process.exit(2);
}

const values = options();

const describe = (result: SimulationResult): string =>
  `seed ${result.seed} hash ${result.hash}: ${result.steps} events, ` +
  `${(result.virtualMs / 1000).toFixed(1)} s of its time, ${result.lives} lives, ` +
  `${result.acknowledged} records acknowledged, ${result.reads} reads, ` +
  `${result.transactions} transactions, ${result.commits} offsets committed, ` +
  `${result.ownerships} times a partition was given`;

const first = whole("seed", values.seed);
const runs = whole("runs", values.runs);
const steps = whole("steps", values.steps);
const lines: string[] | null = values.trace === undefined ? null : [];
const startedMs = performance.now();
let failed = 0;
let events = 0;
for (let seed = first; seed < first + runs; seed += 1) {
  const trace = lines === null ? {} : { trace: (line: string) => void lines.push(line) };
  const result = simulate({ seed, steps, ...trace });
  events += result.steps;
  if (runs === 1 || result.faults.length > 0) console.log(describe(result));
  if (result.faults.length === 0) continue;
  failed += 1;
  for (const fault of result.faults) console.log(`FAULT ${fault}`);
  if (values["keep-going"]) continue;
  console.log(`the last lines before it:\n${result.tail.slice(-LINES_SHOWN).join("\n")}`);
  console.log(`again: bun run sim --seed ${seed} --steps ${steps} --trace trace.txt`);
  break;
}
if (lines !== null) await Bun.write(values.trace as string, `${lines.join("\n")}\n`);
const seconds = (performance.now() - startedMs) / 1000;
if (runs > 1)
  console.log(`${runs} runs, ${failed} failed, ${events} events, ${seconds.toFixed(1)} s`);
process.exitCode = failed === 0 ? 0 : 1;
