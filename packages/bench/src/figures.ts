import { cpus } from "node:os";
import type { ContentCheck } from "./content-check.ts";
import type { CpuAccount } from "./cpu.ts";
import type { Variant } from "./scenarios.ts";

/** The row under which the figures of a broker itself stand. */
export const BROKER_ROW = "broker";

/** What is told of a run, with how to show it. */
export interface FigureKind {
  readonly title: string;
  readonly unit: string;
  readonly better: "more" | "less";
  readonly digits: number;
}

export const FIGURES = {
  mbPerSecond: { title: "throughput", unit: "MB/s", better: "more", digits: 0 },
  cpuPerGb: { title: "machine CPU", unit: "s/GB", better: "less", digits: 2 },
  alonePerGb: {
    title: "machine CPU less other people's processes",
    unit: "s/GB",
    better: "less",
    digits: 2,
  },
  ownCpuPerGb: { title: "the process's own CPU", unit: "s/GB", better: "less", digits: 2 },
  meanMs: { title: "mean latency", unit: "ms", better: "less", digits: 2 },
  p50Ms: { title: "p50", unit: "ms", better: "less", digits: 2 },
  p99Ms: { title: "p99", unit: "ms", better: "less", digits: 2 },
  aloneP99Ms: {
    title: "p99 of the tail without the one who catches up",
    unit: "ms",
    better: "less",
    digits: 2,
  },
  p99Growth: { title: "p99 with by without", unit: "times", better: "less", digits: 2 },
  syscallsPerMb: { title: "system calls", unit: "per MB", better: "less", digits: 1 },
  startMs: { title: "start to first acknowledged produce", unit: "ms", better: "less", digits: 0 },
  idleMb: { title: "memory, idle", unit: "MB", better: "less", digits: 0 },
  loadedMb: { title: "memory, most under load", unit: "MB", better: "less", digits: 0 },
  firstMinuteMb: { title: "memory, first minute", unit: "MB", better: "less", digits: 0 },
  lastMinuteMb: { title: "memory, last minute", unit: "MB", better: "less", digits: 0 },
  mostMb: { title: "memory, most of all", unit: "MB", better: "less", digits: 0 },
  memoryGrowth: { title: "last minute by first", unit: "times", better: "less", digits: 2 },
  tickMs: {
    title: "longest stretch of work at once, at most",
    unit: "ms",
    better: "less",
    digits: 1,
  },
  lateMs: { title: "latest look at the clock, at most", unit: "ms", better: "less", digits: 1 },
  gcStretchMs: {
    title: "longest delay around a garbage collection, at most",
    unit: "ms",
    better: "less",
    digits: 1,
  },
  gcPauseMs: {
    title: "longest pause of a garbage collection",
    unit: "ms",
    better: "less",
    digits: 1,
  },
  gcPausesLeftOut: {
    title: "pauses left out: the machine stood still, or was being prepared",
    unit: "count",
    better: "less",
    digits: 0,
  },
  standstillMs: {
    title: "longest time that the whole machine stood still",
    unit: "ms",
    better: "less",
    digits: 1,
  },
  commitsPerSecond: { title: "offset commits", unit: "per second", better: "more", digits: 0 },
  transactionsPerSecond: { title: "transactions", unit: "per second", better: "more", digits: 0 },
  rebalanceMs: { title: "join to assignment", unit: "ms", better: "less", digits: 1 },
  rebalanceCpuMs: {
    title: "the broker's CPU for a rebalance",
    unit: "ms",
    better: "less",
    digits: 1,
  },
  createMs: { title: "creating them", unit: "ms", better: "less", digits: 0 },
  idleCpuPercent: {
    title: "idle CPU of the process",
    unit: "% of a core",
    better: "less",
    digits: 2,
  },
  restartMs: { title: "clean restart to first ack", unit: "ms", better: "less", digits: 0 },
  killedRestartMs: {
    title: "restart after kill -9 under load",
    unit: "ms",
    better: "less",
    digits: 0,
  },
} as const satisfies Record<string, FigureKind>;

export type Figure = keyof typeof FIGURES;

/** One run of one row by one variant. */
export interface Measurement {
  readonly row: string;
  readonly variant: Variant;
  /** Number of the turn in its block, from 0 on. */
  readonly turn: number;
  readonly figures: Readonly<Partial<Record<Figure, number>>>;
  readonly check?: ContentCheck;
  /** Share of all processors' time that went to other people's processes, and to the hypervisor. */
  readonly strangerShare?: number;
  readonly stealShare?: number;
}

/** The window that a run's CPU was counted in. */
export interface Window {
  readonly cpu: CpuAccount;
  readonly wallSeconds: number;
}

/** What of a window's processors others had. */
export function sharesOf({ cpu, wallSeconds }: Window): {
  readonly strangerShare: number;
  readonly stealShare: number;
} {
  const available = wallSeconds * cpus().length;
  return {
    strangerShare: cpu.strangerSeconds / available,
    stealShare: cpu.stealSeconds / available,
  };
}

/** CPU by the volume that was moved in the window. */
export function cpuFigures(
  { cpu }: Window,
  bytes: number,
): Partial<Record<"cpuPerGb" | "alonePerGb" | "ownCpuPerGb", number>> {
  if (bytes <= 0) return {};
  const gigabytes = bytes / 1e9;
  return {
    cpuPerGb: cpu.machineSeconds / gigabytes,
    alonePerGb: Math.max(0, cpu.machineSeconds - cpu.strangerSeconds) / gigabytes,
    ownCpuPerGb: cpu.brokerSeconds / gigabytes,
  };
}
