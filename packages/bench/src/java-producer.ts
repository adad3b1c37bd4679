import { run } from "./children.ts";
import { kafkaTool } from "./kafka.ts";

/** What kafka-producer-perf-test is asked to do. */
export interface JavaLoad {
  readonly topic: string;
  readonly records: number;
  readonly recordBytes: number;
  readonly batchBytes: number;
  readonly codec: "none" | "lz4" | "zstd" | "snappy" | "gzip";
  /** Each transaction's length, in milliseconds; no transactions when absent. */
  readonly transactionMs?: number | undefined;
}

export interface JavaReport {
  readonly records: number;
  /** Decimal megabytes of record values. */
  readonly mbPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const LINGER_MS = 5;
const TIMEOUT_MS = 180_000;

/** The last line that it prints. Null where there is none. */
export function parseJavaReport(text: string): JavaReport | null {
  const lines = text.trim().split("\n");
  const found =
    /^(\d+) records sent, .*\(([\d.,]+) MB\/sec\).* ([\d.]+) ms 50th.* ([\d.]+) ms 99th/;
  const line = lines.map((line) => found.exec(line)).findLast((match) => match !== null);
  if (!line) return null;
  const [, records, mebibytes, p50, p99] = line;
  // Its MB are of 2^20 bytes; ours everywhere are of 10^6.
  const mbPerSecond = (Number(mebibytes?.replace(",", "")) * 2 ** 20) / 1e6;
  return { records: Number(records), mbPerSecond, p50Ms: Number(p50), p99Ms: Number(p99) };
}

/** Runs Kafka's own producer with acks=all as fast as it goes. */
export async function runJavaProducer(
  address: string,
  load: JavaLoad,
): Promise<{ readonly report: JavaReport; readonly cpuSeconds: number }> {
  const properties = {
    "bootstrap.servers": address,
    acks: "all",
    "linger.ms": LINGER_MS,
    "batch.size": load.batchBytes,
    "compression.type": load.codec,
  };
  const pairs = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
  const size = ["--record-size", String(load.recordBytes)];
  const count = ["--num-records", String(load.records), "--throughput", "-1"];
  const { transactionMs } = load;
  const transactions =
    transactionMs === undefined ? [] : ["--transaction-duration-ms", String(transactionMs)];
  const what = ["--topic", load.topic, ...count, ...size, ...transactions];
  const args = [...what, "--producer-props", ...pairs];
  const command = await kafkaTool("org.apache.kafka.tools.ProducerPerformance", args);
  const { code, stdout, stderr, cpuSeconds } = await run(command, { timeoutMs: TIMEOUT_MS });
  const report = parseJavaReport(stdout);
  if (code !== 0 || report === null) {
    throw new Error(`kafka-producer-perf-test failed on ${load.topic}: ${stderr || stdout}`);
  }
  return { report, cpuSeconds };
}

export interface EndToEndReport {
  readonly meanMs: number;
  readonly p99Ms: number;
}

/** The last lines of EndToEndLatency. Null where they are not there. */
export function parseEndToEndReport(text: string): EndToEndReport | null {
  const mean = /^Avg latency: ([\d.]+) ms/m.exec(text)?.[1];
  const p99 = /^Percentiles: .*99th = ([\d.]+),/m.exec(text)?.[1];
  if (mean === undefined || p99 === undefined) return null;
  return { meanMs: Number(mean), p99Ms: Number(p99) };
}

/** Sends one record after the other and waits for each at a consumer. */
export async function runEndToEnd(
  address: string,
  load: { readonly topic: string; readonly records: number; readonly recordBytes: number },
): Promise<EndToEndReport> {
  const { topic, records, recordBytes } = load;
  const sizes = ["--num-records", String(records), "--record-size", String(recordBytes)];
  const target = ["--bootstrap-server", address, "--topic", topic, "--producer-acks", "all"];
  const command = await kafkaTool("org.apache.kafka.tools.EndToEndLatency", [...target, ...sizes]);
  const { stdout, stderr } = await run(command, { timeoutMs: TIMEOUT_MS });
  // Its exit status tells of things after the measurement as well, so what it printed decides.
  const report = parseEndToEndReport(stdout);
  if (report === null) throw new Error(`EndToEndLatency failed on ${topic}: ${stderr || stdout}`);
  return report;
}
