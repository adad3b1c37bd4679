import type { Client } from "@mantou/client";
import type { BrokerKind, RunningBroker, System } from "./brokers.ts";
import { accountCpu } from "./cpu.ts";
import { syncVolume } from "./disk.ts";
import type { Measurement, Window } from "./figures.ts";
import { takeCpuSnapshot, TICKS_PER_SECOND } from "./proc.ts";
import type { Form, Variant } from "./scenarios.ts";
import type { StandstillWatch, Stop } from "./standstill.ts";
import { warmMemory } from "./warm-memory.ts";

/** What a run may write: more than any disk here takes in a second. */
export const BYTES_PER_SECOND_MAX = 1.5e9;
/** The same for runs that have a pace, or a client that cannot do more. */
const PACED_BYTES_PER_SECOND_MAX = 0.4e9;
/** A pause that ends so soon after memory was touched began before. */
const SETTLING_MS = 50;

/** What all turns of a benchmark share. */
export interface BenchContext {
  readonly form: Form;
  readonly loadgen: string;
  readonly standstill: StandstillWatch;
  /** When memory was touched between runs: hard on the machine, and no broker's doing. */
  readonly preparations: Stop[];
  readonly kinds: Readonly<Record<System, BrokerKind>>;
  /** The folder under which every turn makes its own. */
  readonly dataDirectory: string;
  readonly floorBytes: number;
  /** All that has been measured so far, by all turns. */
  readonly measurements: Measurement[];
  /** What went wrong, in sentences: the benchmark goes on with the next row, and fails at its end. */
  readonly failures: string[];
  /** MB/s of paced rows by id: fixed at their first run, the same for everybody after. */
  readonly rates: Map<string, number>;
  readonly note: (line: string) => void;
  /** Called when something was measured, so that a run that is cut short keeps it. */
  readonly save: () => void;
}

/** A broker in its turn. */
export interface Turn {
  readonly context: BenchContext;
  readonly index: number;
  readonly broker: RunningBroker;
  readonly client: Client;
  readonly directory: string;
}

/** The variant under which figures stand that do not depend on a topic's settings. */
export const plainVariant = (system: System): Variant =>
  system === "kafka" ? "kafka-stock" : "ours-fsync";

/**
 * Counts the CPU of what `body` does, and of the writeback behind it: the volume is synced before
 * and, within the window, after. `body` gives the load generator's own seconds.
 *
 * @param paceBytes what a second of the run writes at most. Twice as much free memory is warm:
 * the kernel does not take first what was given back last.
 */
export async function inWindow<T extends { readonly cpuSeconds: number }>(
  { broker, directory, context }: Turn,
  body: () => Promise<T>,
  paceBytes = PACED_BYTES_PER_SECOND_MAX,
): Promise<{ readonly result: T; readonly window: Window }> {
  await syncVolume(directory);
  const warmedFromMs = Date.now();
  await warmMemory(context.loadgen, 2 * context.form.secondsPerRun * paceBytes);
  context.preparations.push({ beganAtMs: warmedFromMs, endedAtMs: Date.now() + SETTLING_MS });
  const before = takeCpuSnapshot();
  const beganAtMs = performance.now();
  const result = await body();
  await syncVolume(directory);
  const wallSeconds = (performance.now() - beganAtMs) / 1000;
  const cpu = accountCpu(before, takeCpuSnapshot(), {
    ticksPerSecond: TICKS_PER_SECOND,
    broker: broker.pid,
    harness: process.pid,
    watcher: context.standstill.pid,
    generatorSeconds: result.cpuSeconds,
  });
  return { result, window: { cpu, wallSeconds } };
}
