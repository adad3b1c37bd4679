/**
 * `bun run test`: every runner, one after the other, and one line with the sum at the end.
 * `bun run test unit|native|conformance|crash …` runs only those. Installs and builds first.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const bun = process.execPath;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** What the runner printed of each failure. */
  failures?: string[];
}

/** What goes before the line that names a failed test: the error, and what the test printed. */
const LINES_BEFORE_FAILURE = 40;
/** Failures that are told again at the end, of all suites together. */
const FAILURES_TOLD_MAX = 20;

interface Suite {
  readonly name: string;
  readonly run: () => Promise<Counts>;
}

/** Runs a command, shows its output as it comes, and gives it back. */
async function capture(
  command: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<{ exitCode: number; output: string }> {
  const child = Bun.spawn(command, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: string[] = [];
  const pump = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      chunks.push(text);
      process.stdout.write(text);
    }
  };
  await Promise.all([pump(child.stdout), pump(child.stderr)]);
  return { exitCode: await child.exited, output: chunks.join("") };
}

async function must(what: string, command: string[]): Promise<void> {
  console.log(`# ${what}`);
  const { exitCode } = await capture(command, root);
  if (exitCode === 0) return;
  console.log(`${what} failed with exit status ${exitCode}`);
  console.log("0 passed, 1 failed, 0 skipped");
  process.exit(1);
}

/** What `bun test` printed between the test before and the line that names a failed one. */
function bunFailures(output: string): string[] {
  const lines = output.split("\n");
  return lines.flatMap((line, at) => {
    if (!line.startsWith("(fail)")) return [];
    const before = lines.slice(Math.max(0, at - LINES_BEFORE_FAILURE), at);
    const from = before.findLastIndex((other) => /^\((pass|fail|skip)\)/.test(other)) + 1;
    return [[...before.slice(from), line].join("\n")];
  });
}

/** What cargo printed of each failed test, behind the list of all. */
const cargoFailures = (output: string): string[] =>
  [...output.matchAll(/^---- .+ ----\n[^]*?(?=^----|^failures:)/gm)].map(([text]) => text);

/** Sums the closing lines of `bun test`: ` 12 pass`, ` 1 skip`, ` 0 fail`. */
function bunCounts(output: string, exitCode: number): Counts {
  const sum = (word: string): number => {
    let total = 0;
    for (const match of output.matchAll(new RegExp(`^\\s*(\\d+) ${word}$`, "gm"))) {
      total += Number(match[1]);
    }
    return total;
  };
  const counts: Counts = { passed: sum("pass"), failed: sum("fail"), skipped: sum("skip") };
  counts.failures = bunFailures(output);
  // A crash of the runner itself must not look like success.
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Sums `test result: ok. 3 passed; 0 failed; 1 ignored; …` over all crates. */
function cargoCounts(output: string, exitCode: number): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0, failures: cargoFailures(output) };
  const line = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm;
  for (const match of output.matchAll(line)) {
    counts.passed += Number(match[1]);
    counts.failed += Number(match[2]);
    counts.skipped += Number(match[3]);
  }
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

const bunSuite = (name: string, folders: string[], flags: string[] = []): Suite => ({
  name,
  run: async () => {
    const present = folders.filter((folder) => existsSync(join(root, folder)));
    if (present.length === 0) return { passed: 0, failed: 0, skipped: 0 };
    const paths = present.map((folder) => `./${folder}`);
    const { exitCode, output } = await capture([bun, "test", ...flags, ...paths], root);
    return bunCounts(output, exitCode);
  },
});

const simulatorTests = "packages/simulator/tests";
const packageTests = readdirSync(join(root, "packages"))
  .map((name) => `packages/${name}/tests`)
  .filter((folder) => folder !== simulatorTests);

const suites: readonly Suite[] = [
  {
    name: "tidy",
    run: async () => {
      const { exitCode } = await capture([bun, "scripts/tidy.ts"], root);
      return { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: 0 };
    },
  },
  // Random messages can be large, and a machine busy: only a hang may reach the limit.
  bunSuite("unit", packageTests, ["--timeout", "60000"]),
  {
    name: "native",
    run: async () => {
      const command = [
        "cargo",
        "test",
        "--workspace",
        "--exclude",
        "mantou-addon",
        "--locked",
        "--no-fail-fast",
      ];
      const { exitCode, output } = await capture(command, join(root, "native"));
      return cargoCounts(output, exitCode);
    },
  },
  bunSuite("fuzz", ["tests/fuzz"], ["--timeout", "120000"]),
  bunSuite("instructions", ["tests/instructions"], ["--timeout", "600000"]),
  bunSuite("sim", [simulatorTests], ["--timeout", "300000"]),
  bunSuite("cli", ["tests/cli"], ["--timeout", "60000"]),
  bunSuite("crash", ["tests/crash"], ["--timeout", "300000"]),
  bunSuite("conformance", ["tests/conformance"], ["--timeout", "600000"]),
];

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !suites.some((suite) => suite.name === name));
if (unknown !== undefined) {
  console.error(`test: there is no suite "${unknown}": ${suites.map((s) => s.name).join(", ")}`);
  process.exit(2);
}

await must("installing packages", [bun, "install", "--frozen-lockfile"]);
await must("building the native addon", [bun, "scripts/build-native.ts"]);

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const lines: string[] = [];
const failures: string[] = [];
for (const suite of suites) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  console.log(`\n# ${suite.name}`);
  const startedMs = performance.now();
  const counts = await suite.run();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  lines.push(
    `${suite.name.padEnd(12)} ${String(counts.passed).padStart(6)} passed ` +
      `${String(counts.failed).padStart(4)} failed ${String(counts.skipped).padStart(4)} skipped ` +
      `${seconds.padStart(7)} s`,
  );
  failures.push(...(counts.failures ?? []));
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
for (const failure of failures.slice(0, FAILURES_TOLD_MAX)) console.log(`\n# failed\n${failure}`);
console.log(`\n${lines.join("\n")}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);
