import type { System } from "./brokers.ts";
import type { Measurement } from "./figures.ts";
import { FORMS, rowsOf } from "./forms.ts";
import type { Machine } from "./machine.ts";
import type { FormName } from "./scenarios.ts";
import { type Line, losses, summarize, warnings } from "./summary.ts";

/** All of a benchmark: what the JSON file holds, and what reports are made from. */
export interface Results {
  readonly format: 1;
  readonly form: FormName;
  readonly secondsPerRun: number;
  readonly turns: readonly System[];
  readonly machine: Machine;
  readonly brokers: Readonly<Record<System, string>>;
  readonly tookSeconds: number;
  /** Rows and turns that went wrong, in sentences. */
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
  readonly losses: readonly string[];
  readonly lines: readonly Line[];
  readonly measurements: readonly Measurement[];
}

/** What follows from the measurements alone. */
export function resultsOf(
  form: Results["form"],
  measurements: readonly Measurement[],
  failures: readonly string[] = [],
) {
  const lines = summarize(measurements, rowsOf(FORMS[form]));
  const format = 1 as const;
  const failed = failures.map((text) => `failed, and not in the figures: ${text}`);
  const told = { warnings: [...failed, ...warnings(measurements)], losses: losses(lines) };
  return { format, form, failures, ...told, lines, measurements };
}

/** Results as they were written, judged anew. Throws where the file holds something else. */
export function readResults(text: string): Results {
  const found = JSON.parse(text) as Partial<Results>;
  const { form, measurements } = found;
  const isForm = form !== undefined && Object.hasOwn(FORMS, form);
  if (found.format !== 1 || !Array.isArray(measurements) || !isForm) {
    throw new Error("that file does not hold results of this benchmark");
  }
  return { ...(found as Results), ...resultsOf(form, measurements, found.failures ?? []) };
}
