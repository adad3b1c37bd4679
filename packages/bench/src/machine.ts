import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type as systemType } from "node:os";
import { run } from "./children.ts";

/** The machine that the figures belong to: no name, no address, no date. */
export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly isVirtual: boolean;
  /** Of the data folder: type and options that matter. */
  readonly fileSystem: string;
  /** Load average of the last minute when the benchmark began. */
  readonly loadAverage: number;
}

export async function describeMachine(dataDirectory: string): Promise<Machine> {
  const cpuinfo = text("/proc/cpuinfo");
  const columns = "FSTYPE,OPTIONS";
  const mount = await run(["findmnt", "-n", "-o", columns, "--target", dataDirectory]);
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    processors: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
    system: `${systemType()} ${release().split("-")[0]}`,
    isVirtual: /\bhypervisor\b/.test(cpuinfo),
    fileSystem: mount.stdout.trim().replace(/\s+/g, " ") || "unknown",
    loadAverage: Number(text("/proc/loadavg").split(" ")[0] ?? 0),
  };
}

export function machineText(machine: Machine): string {
  const { processors, processor, memoryGb, system, isVirtual, fileSystem, loadAverage } = machine;
  const kind = isVirtual ? "virtual processors" : "processors";
  return (
    `${processors} ${kind} (${processor}), ${memoryGb} GB of memory, ${system}, ` +
    `data on ${fileSystem}; load average before: ${loadAverage}`
  );
}

function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
