import { readFileSync } from "node:fs";
import { run } from "./children.ts";

const WARM_BYTES_MAX = 14e9;
/** Of what is available: the rest is for the brokers and for what the page cache holds. */
const WARM_SHARE_MAX = 0.6;
const KIB = 1024;
const TIMEOUT_MS = 120_000;

/** Bytes that the kernel could give to somebody. Linux only. */
export function availableBytes(meminfo = readFileSync("/proc/meminfo", "utf8")): number {
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0) * KIB;
}

/**
 * Touches free memory, so that the page cache of the run that follows finds it there. A virtual
 * machine may have given what was free back to its host; whoever touches such a page first waits
 * for the host to find another, and that is accounted to it: here it made the same run take two
 * to four times the CPU, now of one broker and now of the other.
 *
 * @param loadgen the load generator's binary, which does it.
 */
export async function warmMemory(loadgen: string, bytes: number): Promise<void> {
  const most = Math.min(bytes, WARM_BYTES_MAX, availableBytes() * WARM_SHARE_MAX);
  const command = [loadgen, "warm", String(Math.floor(most))];
  const { code, stderr } = await run(command, { timeoutMs: TIMEOUT_MS });
  if (code !== 0) throw new Error(`free memory could not be touched: ${stderr}`);
}
