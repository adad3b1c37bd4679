import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { join } from "node:path";

/** A full volume stops everything on the machine, so no run starts below this. */
export const FREE_BYTES_FLOOR = 12e9;
/** Giving back gigabytes at once keeps some disks busy for seconds; small steps do not. */
const STEP_BYTES = 64 * 1024 * 1024;
const STEP_PAUSE_MS = 2;

export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Throws where less than the floor and what a run may write are free. */
export function requireFreeBytes(path: string, toWrite: number, floor = FREE_BYTES_FLOOR): void {
  const free = freeBytes(path);
  if (free >= floor + toWrite) return;
  const gb = (bytes: number): string => (bytes / 1e9).toFixed(1);
  throw new Error(
    `${gb(free)} GB are free at ${path}; a run may write ${gb(toWrite)} GB and ` +
      `${gb(floor)} GB must stay free (see --data-dir and --floor-gb)`,
  );
}

/** Syncs the file system that holds `path`, and so ends the writeback of what was written. */
export async function syncVolume(path: string): Promise<void> {
  const child = Bun.spawn(["sync", "-f", path], { stdio: ["ignore", "ignore", "inherit"] });
  if ((await child.exited) !== 0) throw new Error(`sync -f ${path} failed`);
}

/** Removes a folder: files are cut down step by step first. */
export async function removeInSteps(path: string): Promise<void> {
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    let size = statSync(file).size;
    if (size <= STEP_BYTES) continue;
    const descriptor = openSync(file, "r+");
    try {
      while (size > 0) {
        size = Math.max(0, size - STEP_BYTES);
        ftruncateSync(descriptor, size);
        await Bun.sleep(STEP_PAUSE_MS);
      }
    } finally {
      closeSync(descriptor);
    }
  }
  rmSync(path, { recursive: true, force: true });
}
