import { readFileSync, readdirSync } from "node:fs";

/** Resident bytes of a process. Linux only. */
export function rssOf(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? 0) * 1024;
}

/** Descriptors that a process has open. Linux only. */
export const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

export const canMeasure = process.platform === "linux";
