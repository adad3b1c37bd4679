/**
 * What counting and timing requests costs: two brokers, one with `mantou.metrics.enable=false`,
 * loaded in turn (ABBA) by native/loadgen. Prints the broker's CPU seconds per GB, and the median
 * of the ratios of neighbouring runs.
 *
 *   bun packages/server/bench/metrics-cost.ts [--rounds 8] [--seconds 3] [--only TEXT]
 *   bun packages/server/bench/metrics-cost.ts --control     both without: what chance makes of it
 *
 * Needs `dist/mantou` (bun run build) and the load generator:
 *   cargo build --release --locked -p mantou-loadgen   (in native/)
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dir, "..", "..", "..");
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "8" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    control: { type: "boolean", default: false },
    mantou: { type: "string", default: join(root, "dist", "mantou") },
    loadgen: {
      type: "string",
      default: join(root, "native", "target", "release", "mantou-loadgen"),
    },
  },
});
const PARTITIONS = "4";
const SCRAPE_MS = 1000;

/** Whole work of a broker for each request grows from top to bottom; the topic is kept small. */
const CASES: Readonly<Record<string, readonly string[]>> = {
  "produce, 1 KB batches": ["produce", "--batch-bytes", "1024", "--record-bytes", "200"],
  "produce, 16 KB batches": ["produce", "--batch-bytes", "16384"],
  "produce, 64 KB batches": ["produce", "--batch-bytes", "65536"],
  "fetch, 64 KB": ["fetch", "--max-bytes", "65536", "--partition-max-bytes", "65536"],
};

interface Running {
  readonly child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly address: string;
  readonly folder: string;
}

const children: Running[] = [];
process.on("exit", () => {
  for (const { child, folder } of children) {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

async function start(withMetrics: boolean): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "mantou-metrics-cost-"));
  const settings = [
    `mantou.metrics.enable=${withMetrics}`,
    "mantou.durability=page-cache",
    // The volume must not fill up, and old segments go soon.
    "log.retention.bytes=200000000",
    "log.segment.bytes=50000000",
    "log.retention.check.interval.ms=1000",
    "log.segment.delete.delay.ms=0",
  ];
  const flags = ["--listen", "127.0.0.1:0", "--data-dir", folder, "--admin-listen", "127.0.0.1:0"];
  for (const setting of settings) flags.push("--set", setting);
  const child = Bun.spawn([values.mantou, "start", ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  while (!/ started /.test(log)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`it ended:\n${log}`);
    log += value;
  }
  const address = /listening listener=\S+ address=(\S+)/.exec(log)?.[1] ?? "";
  const admin = /admin url=(\S+)/.exec(log)?.[1] ?? "";
  // Scraped as in real life, metrics or not.
  setInterval(() => void fetch(`${admin}/metrics`).catch(() => {}), SCRAPE_MS).unref();
  const running = { child, address, folder };
  children.push(running);
  for (const topic of ["produce", "fetch"]) {
    const create = ["topic", "create", topic, "-p", PARTITIONS, "-b", address, "-q"];
    Bun.spawnSync([values.mantou, ...create]);
  }
  load(running, "fetch", ["produce", "--rate", "40"], 2);
  return running;
}

/** CPU seconds of the broker per GB, and requests a second. */
function load(
  { address, child }: Running,
  topic: string,
  words: readonly string[],
  seconds: number,
): { cpuPerGb: number; requests: number } {
  const { stdout, exitCode } = Bun.spawnSync([
    values.loadgen,
    ...words,
    ...["--topic", topic, "--partitions", PARTITIONS, "--address", address],
    ...["--connections", "8", "--seconds", String(seconds), "--warmup", "1"],
    ...["--server-pid", String(child.pid)],
  ]);
  if (exitCode !== 0) throw new Error(`the load generator failed on ${topic}`);
  const result = JSON.parse(stdout.toString()) as Record<string, number>;
  return {
    cpuPerGb: result["serverCpuSecondsPerGb"] ?? Number.NaN,
    requests: result["requestsPerSecond"] ?? Number.NaN,
  };
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

const on = await start(!values.control);
const off = await start(false);
console.log(
  "case                     CPU-s/GB on     off   ratio (range)        requests/s on, off",
);
for (const [name, words] of Object.entries(CASES)) {
  if (!name.includes(values.only)) continue;
  const runs = { on: [] as ReturnType<typeof load>[], off: [] as ReturnType<typeof load>[] };
  const topic = words[0] === "fetch" ? "fetch" : "produce";
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const order = round % 2 === 0 ? (["on", "off"] as const) : (["off", "on"] as const);
    for (const side of order) {
      runs[side].push(load(side === "on" ? on : off, topic, words, Number(values.seconds)));
    }
  }
  const cpu = (side: "on" | "off") => runs[side].map(({ cpuPerGb }) => cpuPerGb);
  const ratios = cpu("on").map((value, index) => value / (cpu("off")[index] ?? Number.NaN));
  const rate = (side: "on" | "off") => median(runs[side].map(({ requests }) => requests));
  const range = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
  console.log(
    `${name.padEnd(24)} ${median(cpu("on")).toFixed(3).padStart(11)} ` +
      `${median(cpu("off")).toFixed(3).padStart(7)}   ${median(ratios).toFixed(3)} (${range}) ` +
      `   ${rate("on").toFixed(0)}, ${rate("off").toFixed(0)}`,
  );
}
process.exit(0);
