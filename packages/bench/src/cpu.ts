/** CPU time from /proc: pure arithmetic on snapshots; `proc.ts` takes them. */

/** Ticks of the whole machine since it started, all processors together. */
export interface MachineTicks {
  /** user, nice, system, irq and softirq: kernel threads are in here, and so is writeback. */
  readonly busy: number;
  /** What the hypervisor gave to others while we wanted to run. */
  readonly steal: number;
}

/** One line of /proc/PID/stat. */
export interface ProcessTicks {
  readonly pid: number;
  readonly parent: number;
  /** user + system, all threads. */
  readonly own: number;
  /** Of children that have ended and were waited for. */
  readonly children: number;
}

export interface CpuSnapshot {
  readonly machine: MachineTicks;
  readonly processes: readonly ProcessTicks[];
}

/** Seconds of CPU in the time between two snapshots. */
export interface CpuAccount {
  /** busy minus load generator and harness: what the broker cost the machine, kernel included. */
  readonly machineSeconds: number;
  /** user + system of the broker's process. */
  readonly brokerSeconds: number;
  readonly generatorSeconds: number;
  readonly harnessSeconds: number;
  /** Other people's processes. Contained in `machineSeconds`: a run with much of it is spoilt. */
  readonly strangerSeconds: number;
  readonly stealSeconds: number;
}

export interface CpuParties {
  readonly ticksPerSecond: number;
  readonly broker: number;
  readonly harness: number;
  /** A child of the harness that runs beside everything, or null. */
  readonly watcher: number | null;
  /** From the generator's own resource usage: it has ended when the second snapshot is taken. */
  readonly generatorSeconds: number;
}

/** The parent of all kernel threads, and a kernel thread itself. */
const KTHREADD = 2;

/** The first line of /proc/stat. Throws where there is none. */
export function parseMachineTicks(text: string): MachineTicks {
  const line = /^cpu +(.*)$/m.exec(text)?.[1];
  if (line === undefined) throw new Error("/proc/stat has no line for all processors");
  const fields = line.split(" ").map(Number);
  const at = (index: number): number => fields[index] ?? 0;
  // user nice system idle iowait irq softirq steal guest guest_nice; guests are part of user.
  return { busy: at(0) + at(1) + at(2) + at(5) + at(6), steal: at(7) };
}

/** Null where the text is not a line of /proc/PID/stat. */
export function parseProcessTicks(text: string): ProcessTicks | null {
  // The name may hold anything, spaces and parentheses too; the last one ends it.
  const nameEnd = text.lastIndexOf(")");
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(nameEnd + 2).split(" ");
  if (nameEnd < 0 || !Number.isInteger(pid) || fields.length < 15) return null;
  const at = (index: number): number => Number(fields[index]);
  return { pid, parent: at(1), own: at(11) + at(12), children: at(13) + at(14) };
}

export function accountCpu(
  before: CpuSnapshot,
  after: CpuSnapshot,
  parties: CpuParties,
): CpuAccount {
  const seconds = (ticks: number): number => Math.max(0, ticks) / parties.ticksPerSecond;
  const grown = (pid: number): number => ownTicks(after, pid) - ownTicks(before, pid);
  const watcherTicks = parties.watcher === null ? 0 : grown(parties.watcher);
  const harnessSeconds = seconds(grown(parties.harness) + watcherTicks);
  const busySeconds = seconds(after.machine.busy - before.machine.busy);
  const { generatorSeconds } = parties;
  return {
    machineSeconds: Math.max(0, busySeconds - generatorSeconds - harnessSeconds),
    brokerSeconds: seconds(grown(parties.broker)),
    generatorSeconds,
    harnessSeconds,
    strangerSeconds: seconds(strangerTicks(after, parties) - strangerTicks(before, parties)),
    stealSeconds: seconds(after.machine.steal - before.machine.steal),
  };
}

function ownTicks(snapshot: CpuSnapshot, pid: number): number {
  return snapshot.processes.find((process) => process.pid === pid)?.own ?? 0;
}

/**
 * All that processes of others have used. With their ended children, so that what a build's
 * compilers used is not lost when they end; the harness's children are ours and left out.
 */
function strangerTicks(snapshot: CpuSnapshot, { broker, harness }: CpuParties): number {
  let ticks = 0;
  for (const { pid, parent, own, children } of snapshot.processes) {
    const isKernel = pid === KTHREADD || parent === KTHREADD;
    const isOurs = pid === broker || pid === harness || parent === harness;
    if (!isKernel && !isOurs) ticks += own + children;
  }
  return ticks;
}
