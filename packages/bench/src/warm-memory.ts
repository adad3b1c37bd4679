import { readFileSync } from "node:fs";

const WARM_BYTES_MAX = 6e9;
const KIB = 1024;

/** Run by a child: touches every page of so many bytes, and gives them back by ending. */
const TOUCH = `
  const PAGE = 4096;
  const CHUNK = 1 << 28;
  const chunks = [];
  for (let left = Number(process.argv[1]); left > 0; left -= CHUNK) {
    const chunk = new Uint8Array(Math.min(left, CHUNK));
    for (let at = 0; at < chunk.length; at += PAGE) chunk[at] = 1;
    chunks.push(chunk);
  }
  process.exit(chunks.length > 0 ? 0 : 1);
`;

/** Bytes that the kernel could give to somebody. Linux only. */
export function availableBytes(meminfo = readFileSync("/proc/meminfo", "utf8")): number {
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0) * KIB;
}

/**
 * Touches free memory, so that the page cache of the run that follows finds it there. A virtual
 * machine may have given what was free back to its host; whoever touches such a page first waits
 * for the host to find another, and that is accounted to it: here it made the same run take two
 * to four times the CPU, now of one broker and now of the other.
 */
export async function warmMemory(bytes: number): Promise<void> {
  const wanted = Math.floor(Math.min(bytes, WARM_BYTES_MAX, availableBytes() / 2));
  const child = Bun.spawn([process.execPath, "-e", TOUCH, String(wanted)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if ((await child.exited) !== 0) throw new Error("free memory could not be touched");
}
