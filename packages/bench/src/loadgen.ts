import { join } from "node:path";
import { run, start } from "./children.ts";
import { NATIVE } from "./paths.ts";

/** What one run of the load generator is asked to do. */
export interface Load {
  readonly mode: "produce" | "fetch" | "tail";
  readonly topic: string;
  readonly partitions: number;
  readonly connections: number;
  readonly depth: number;
  readonly seconds: number;
  readonly batchBytes?: number;
  readonly recordBytes?: number;
  readonly acks?: -1 | 0 | 1;
  /** MB/s; as fast as answers come back when absent. */
  readonly rate?: number;
  /** Writes into every batch when it was due; tail reads that. */
  readonly stamp?: boolean;
  /** Produce: ends when so much was sent. */
  readonly totalBytes?: number;
  /** Fetch: ends where the partitions end. */
  readonly once?: boolean;
}

/** What it says of that run; `native/loadgen/src/report.rs` writes it. */
export interface LoadReport {
  readonly seconds: number;
  /** From the first answer that counts to the last. */
  readonly activeSeconds: number;
  readonly requests: number;
  readonly records: number;
  readonly bytes: number;
  readonly mbPerSecond: number;
  readonly latencyUs: {
    readonly mean: number;
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  readonly unanswered: number;
  readonly errors: Readonly<Record<string, number>>;
}

const BUILD_TIMEOUT_MS = 600_000;
/** Beyond the window: connecting, and waiting for late answers. */
const GRACE_MS = 30_000;

/** Builds the generator where its sources have changed; gives its path. */
export async function buildLoadgen(): Promise<string> {
  const command = ["cargo", "build", "--release", "-p", "mantou-loadgen", "--locked"];
  const { code, stderr } = await run(command, { timeoutMs: BUILD_TIMEOUT_MS, cwd: NATIVE });
  if (code !== 0) throw new Error(`the load generator could not be built:\n${stderr}`);
  const target = process.env["CARGO_TARGET_DIR"] ?? join(NATIVE, "target");
  return join(target, "release", "mantou-loadgen");
}

/** Its command line. No warm-up inside: all that it sends lies in the measured window. */
export function loadArguments(address: string, load: Load): string[] {
  const flags: Record<string, string | number | undefined> = {
    "--address": address,
    "--topic": load.topic,
    "--partitions": load.partitions,
    "--connections": load.connections,
    "--depth": load.depth,
    "--seconds": load.seconds,
    "--warmup": 0,
    "--batch-bytes": load.batchBytes,
    "--record-bytes": load.recordBytes,
    "--acks": load.acks,
    "--rate": load.rate === undefined ? undefined : load.rate.toFixed(3),
    "--stamp": load.stamp === true ? "true" : undefined,
    "--total-bytes": load.totalBytes,
    "--once": load.once === true ? "true" : undefined,
  };
  const args: string[] = [load.mode];
  for (const [flag, value] of Object.entries(flags)) {
    if (value !== undefined) args.push(flag, String(value));
  }
  return args;
}

export interface LoadRun {
  readonly report: LoadReport;
  /** CPU of the generator over its whole life, in seconds. */
  readonly cpuSeconds: number;
}

/** Loads a broker. Throws when the generator fails or an answer had an error. */
export const runLoad = (binary: string, address: string, load: Load): Promise<LoadRun> =>
  startLoad(binary, address, load).ended;

/** As `runLoad`, and `stop` ends its window early. */
export function startLoad(
  binary: string,
  address: string,
  load: Load,
): { readonly ended: Promise<LoadRun>; readonly stop: () => void } {
  const command = [binary, ...loadArguments(address, load)];
  const timeoutMs = Math.ceil(load.seconds * 1000) + GRACE_MS;
  const { ended, stop } = start(command, { timeoutMs });
  const finish = async (): Promise<LoadRun> => {
    const ran = await ended;
    if (ran.code !== 0) {
      const why = ran.stderr.trim() || ran.stdout.trim() || "it was killed";
      throw new Error(`the load generator failed on ${load.topic}: ${why}`);
    }
    return { report: JSON.parse(ran.stdout) as LoadReport, cpuSeconds: ran.cpuSeconds };
  };
  return { ended: finish(), stop };
}

/** Drops what the page cache holds of a folder's files. */
export async function forgetPages(binary: string, folder: string): Promise<void> {
  const { code, stderr } = await run([binary, "forget", folder], { timeoutMs: 120_000 });
  if (code !== 0) throw new Error(`pages of ${folder} could not be dropped: ${stderr}`);
}
