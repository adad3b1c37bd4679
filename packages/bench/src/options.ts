import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { FREE_BYTES_FLOOR } from "./disk.ts";
import { ROOT } from "./paths.ts";
import type { FormName } from "./scenarios.ts";

export interface BenchOptions {
  readonly form: FormName;
  /** Only rows whose id matches, or null. */
  readonly only: RegExp | null;
  /** Seconds of a run, in place of the form's, or null. */
  readonly seconds: number | null;
  /** Turns of each broker, in place of the form's, or null. */
  readonly repetitions: number | null;
  readonly dataDirectory: string;
  readonly outDirectory: string;
  readonly executable: string | null;
  readonly build: boolean;
  readonly floorBytes: number;
  /** Length of the memory row in seconds, in place of the form's, or null. */
  readonly memorySeconds: number | null;
  /** Results of an earlier run to report again, in place of a run; or null. */
  readonly report: string | null;
  readonly isHelp: boolean;
}

export const USAGE = `usage: bun run bench [options]

Starts mantou and Apache Kafka in turn on the same disk, loads both, and compares them.
Stands alone: stop whatever else uses the machine.

  --full            the long form: the whole matrix, five repetitions; about an hour
  --product         producing alone, every size of record and batch with all partitions and acks,
                    one turn of each; half an hour
  --only PATTERN    only rows whose id matches this regular expression
  --seconds S       length of a run, in place of the form's
  --repetitions N   turns of each broker, in place of the form's
  --memory-seconds S  length of the row that watches memory, in place of ten minutes
  --report FILE     no run: make the reports of these results again
  --data-dir DIR    where both keep their data; default: the folder for temporary files
  --out DIR         where results.json, report.html and summary.md go; default: dist/bench
  --mantou FILE     a built executable; default: the sources of this checkout
  --no-build        take the native addon as it is
  --floor-gb N      stop below this much free disk space; default 12
  --help            this text
`;

/** Throws with a sentence for people where flags are wrong. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      full: { type: "boolean", default: false },
      product: { type: "boolean", default: false },
      only: { type: "string" },
      seconds: { type: "string" },
      repetitions: { type: "string" },
      "data-dir": { type: "string", default: tmpdir() },
      out: { type: "string", default: join(ROOT, "dist", "bench") },
      mantou: { type: "string" },
      "no-build": { type: "boolean", default: false },
      "floor-gb": { type: "string" },
      "memory-seconds": { type: "string" },
      report: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.full && values.product)
    throw new Error("--full and --product are two forms: give one");
  return {
    form: values.full ? "full" : values.product ? "product" : "quick",
    only: values.only === undefined ? null : new RegExp(values.only),
    seconds: positive("--seconds", values.seconds),
    repetitions: whole(positive("--repetitions", values.repetitions)),
    dataDirectory: resolve(values["data-dir"]),
    outDirectory: resolve(values.out),
    executable: values.mantou === undefined ? null : resolve(values.mantou),
    build: !values["no-build"],
    floorBytes: (positive("--floor-gb", values["floor-gb"]) ?? FREE_BYTES_FLOOR / 1e9) * 1e9,
    memorySeconds: positive("--memory-seconds", values["memory-seconds"]),
    report: values.report === undefined ? null : resolve(values.report),
    isHelp: values.help,
  };
}

function positive(flag: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) {
    throw new Error(`${flag} takes a number above 0, not "${text}"`);
  }
  return value;
}

const whole = (value: number | null): number | null => (value === null ? null : Math.ceil(value));
