import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./children.ts";
import { ROOT } from "./paths.ts";

/** An npm package that has all sources of librdkafka in it, its examples too. */
const PACKAGE = "node-rdkafka@3.6.1";
const cache = join(ROOT, "tests", ".cache");
const program = join(cache, "rdkafka_performance-3.6.1");
/** What a plain producer does not need, so that nothing but a compiler has to be there. */
const CONFIGURE = ["--disable-ssl", "--disable-gssapi", "--disable-curl", "--disable-zstd"];
const BUILD_TIMEOUT_MS = 600_000;
const RUN_TIMEOUT_MS = 120_000;
const LINGER_MS = 5;

export interface RdkafkaLoad {
  readonly topic: string;
  readonly records: number;
  readonly recordBytes: number;
  readonly batchBytes: number;
}

export interface RdkafkaReport {
  readonly delivered: number;
  readonly failed: number;
  readonly mbPerSecond: number;
}

/** librdkafka's own performance example; fetched with npm and compiled when it is not there yet. */
export async function rdkafkaPerformance(): Promise<string> {
  if (existsSync(program)) return program;
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "librdkafka-"));
  const sources = join(folder, "package", "deps", "librdkafka");
  const step = async (command: readonly string[], cwd: string): Promise<void> => {
    const { code, stderr } = await run(command, { timeoutMs: BUILD_TIMEOUT_MS, cwd });
    const text = stderr.slice(-1000);
    if (code !== 0) throw new Error(`librdkafka could not be built: ${command[0]}: ${text}`);
  };
  try {
    await step(["npm", "pack", PACKAGE], folder);
    await step(["sh", "-c", "tar xzf *.tgz"], folder);
    await step(["./configure", ...CONFIGURE], sources);
    await step(["make", "-j2", "-C", "src", "librdkafka.a"], sources);
    await step(["make", "-C", "examples", "rdkafka_performance"], sources);
    await rename(join(sources, "examples", "rdkafka_performance"), program);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return program;
}

/** The last summary that it prints; null where there is none. */
export function parseRdkafkaReport(text: string): RdkafkaReport | null {
  const line =
    /(\d+) delivered \(offset -?\d+, (\d+) failed\) in \d+ms: \d+ msgs\/s and ([\d.]+) MB\/s/g;
  const found = [...text.matchAll(line)].at(-1);
  if (found === undefined) return null;
  const [, delivered, failed, rate] = found;
  return { delivered: Number(delivered), failed: Number(failed), mbPerSecond: Number(rate) };
}

/** Produces with acks=all as fast as it goes. */
export async function runRdkafka(
  address: string,
  { topic, records, recordBytes, batchBytes }: RdkafkaLoad,
): Promise<{ readonly report: RdkafkaReport; readonly cpuSeconds: number }> {
  const settings = [`linger.ms=${LINGER_MS}`, `batch.size=${batchBytes}`];
  const command = [
    await rdkafkaPerformance(),
    ...["-P", "-t", topic, "-b", address, "-s", String(recordBytes), "-c", String(records)],
    ...["-a", "-1", ...settings.flatMap((setting) => ["-X", setting])],
  ];
  const ran = await run(command, { timeoutMs: RUN_TIMEOUT_MS });
  const report = parseRdkafkaReport(ran.stdout);
  if (report === null || report.failed > 0 || report.delivered < records) {
    throw new Error(`rdkafka_performance failed on ${topic}: ${ran.stderr || ran.stdout}`);
  }
  return { report, cpuSeconds: ran.cpuSeconds };
}
