import type { System } from "./brokers.ts";
import type { Measurement } from "./figures.ts";
import type { Machine } from "./machine.ts";
import type { Line } from "./summary.ts";

/** All of a benchmark: what the JSON file holds, and what reports are made from. */
export interface Results {
  readonly format: 1;
  readonly form: "quick" | "full";
  readonly secondsPerRun: number;
  readonly turns: readonly System[];
  readonly machine: Machine;
  readonly brokers: Readonly<Record<System, string>>;
  readonly tookSeconds: number;
  readonly warnings: readonly string[];
  readonly losses: readonly string[];
  readonly lines: readonly Line[];
  readonly measurements: readonly Measurement[];
}
