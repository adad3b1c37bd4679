import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBench } from "./bench.ts";
import { interrupt } from "./children.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { htmlReport } from "./report/html.ts";
import { chartLibrary } from "./report/chart-library.ts";
import { markdownReport } from "./report/markdown.ts";
import { terminalReport } from "./report/terminal.ts";
import { readResults, type Results } from "./results.ts";

const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

let signals = 0;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    signals += 1;
    // The first one leaves time to remove the data; the exit hook kills the brokers in any case.
    if (signals > 1) process.exit(EXIT_INTERRUPTED);
    process.stderr.write("bench: interrupted, removing the data\n");
    interrupt();
  });
}

function options(): BenchOptions {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n\n${USAGE}`);
    process.exit(EXIT_USAGE);
  }
}

const asked = options();
if (asked.isHelp) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const fileOf = (name: string): string => join(asked.outDirectory, name);

/** Whole or not at all: a run may be cut short while it is written. */
function saveJson(results: Results): void {
  mkdirSync(asked.outDirectory, { recursive: true });
  const partial = fileOf("results.json.partial");
  writeFileSync(partial, `${JSON.stringify(results, null, 2)}\n`);
  renameSync(partial, fileOf("results.json"));
}

function measure(): Promise<Results> {
  const beganAtMs = performance.now();
  const note = (line: string): void => {
    const seconds = ((performance.now() - beganAtMs) / 1000).toFixed(0).padStart(5);
    process.stderr.write(`${seconds} s  ${line}\n`);
  };
  return runBench(asked, note, saveJson);
}

try {
  const { report } = asked;
  const results = report === null ? await measure() : readResults(readFileSync(report, "utf8"));
  saveJson(results);
  writeFileSync(fileOf("report.html"), htmlReport(results, await chartLibrary()));
  writeFileSync(fileOf("summary.md"), markdownReport(results));
  process.stdout.write(terminalReport(results));
  const files = ["results.json", "report.html", "summary.md"].map(fileOf);
  process.stdout.write(`\n${files.join("\n")}\n`);
  process.exit(results.failures.length === 0 ? 0 : 1);
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exit(1);
}
