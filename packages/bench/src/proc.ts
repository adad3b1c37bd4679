import { readdirSync, readFileSync } from "node:fs";
import {
  type CpuSnapshot,
  parseMachineTicks,
  parseProcessTicks,
  type ProcessTicks,
} from "./cpu.ts";

const getconf = (name: string): number =>
  Number(Bun.spawnSync(["getconf", name]).stdout.toString().trim());

export const TICKS_PER_SECOND = getconf("CLK_TCK");
const PAGE_BYTES = getconf("PAGE_SIZE");

/** CPU time of the machine and of every process, now. */
export function takeCpuSnapshot(): CpuSnapshot {
  const processes: ProcessTicks[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const ticks = parseProcessTicks(read(`/proc/${name}/stat`));
    if (ticks !== null) processes.push(ticks);
  }
  return { machine: parseMachineTicks(read("/proc/stat")), processes };
}

/** user + system seconds of a process since it started; 0 when it is gone. */
export function ownCpuSeconds(pid: number): number {
  const ticks = parseProcessTicks(read(`/proc/${pid}/stat`));
  return (ticks?.own ?? 0) / TICKS_PER_SECOND;
}

/** Bytes of memory a process has resident; 0 when it is gone. */
export function residentBytes(pid: number): number {
  const pages = Number(read(`/proc/${pid}/statm`).split(" ")[1]);
  return Number.isFinite(pages) ? pages * PAGE_BYTES : 0;
}

/** Looks at a process's memory again and again; `stop` gives the most it had. */
export function watchResident(pid: number): { readonly stop: () => number } {
  const INTERVAL_MS = 200;
  let most = residentBytes(pid);
  const look = (): void => {
    most = Math.max(most, residentBytes(pid));
  };
  const timer = setInterval(look, INTERVAL_MS);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return most;
    },
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A process that has ended between the listing and the reading.
    return "";
  }
}
