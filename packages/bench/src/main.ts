import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBench } from "./bench.ts";
import { interrupt } from "./children.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { htmlReport } from "./report/html.ts";
import { chartLibrary } from "./report/chart-library.ts";
import { terminalReport } from "./report/terminal.ts";

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
try {
  const beganAtMs = performance.now();
  const results = await runBench(asked, (line) => {
    const seconds = ((performance.now() - beganAtMs) / 1000).toFixed(0).padStart(5);
    process.stderr.write(`${seconds} s  ${line}\n`);
  });
  mkdirSync(asked.outDirectory, { recursive: true });
  const json = join(asked.outDirectory, "results.json");
  const html = join(asked.outDirectory, "report.html");
  writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(html, htmlReport(results, await chartLibrary()));
  process.stdout.write(terminalReport(results));
  process.stdout.write(`\n${json}\n${html}\n`);
  process.exit(0);
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exit(1);
}
