import { describe, expect, test } from "bun:test";
import { accountCpu, type CpuSnapshot, parseMachineTicks, parseProcessTicks } from "../src/cpu.ts";

const processLine = (
  pid: number,
  parent: number,
  ticks: readonly [user: number, system: number, childUser: number, childSystem: number],
  name = "java",
): string =>
  `${pid} (${name}) S ${parent} 1 1 0 -1 4194304 1 2 3 4 ${ticks.join(" ")} 20 0 1 0 99 1000 12`;

describe("/proc/stat", () => {
  test("busy is user, nice, system, irq and softirq; idle, iowait, steal and guest are not", () => {
    const text = "cpu  1 20 300 4000 50000 600000 7000000 80000000 9 9\ncpu0 9 9 9 9 9 9 9 9 9 9\n";
    expect(parseMachineTicks(text)).toEqual({ busy: 7_600_321, steal: 80_000_000 });
  });

  test("a text without the line is refused", () => {
    expect(() => parseMachineTicks("intr 1 2 3\n")).toThrow("no line");
  });
});

describe("/proc/PID/stat", () => {
  test("own and children's ticks", () => {
    const ticks = parseProcessTicks(processLine(17, 4, [5, 6, 70, 80]));
    expect(ticks).toEqual({ pid: 17, parent: 4, own: 11, children: 150 });
  });

  test("a name may hold spaces and parentheses", () => {
    const ticks = parseProcessTicks(processLine(17, 4, [1, 2, 3, 4], "a) R 9 (b"));
    expect(ticks).toEqual({ pid: 17, parent: 4, own: 3, children: 7 });
  });

  test("what is no such line gives null", () => {
    expect(parseProcessTicks("")).toBeNull();
    expect(parseProcessTicks("17 (java) S 4")).toBeNull();
  });
});

describe("the account", () => {
  const BROKER = 100;
  const HARNESS = 200;
  const WATCHER = 300;
  const parties = {
    ticksPerSecond: 100,
    broker: BROKER,
    harness: HARNESS,
    watcher: WATCHER,
    generatorSeconds: 0.5,
  };
  const snapshot = (
    busy: number,
    steal: number,
    processes: readonly (readonly [pid: number, parent: number, own: number, children?: number])[],
  ): CpuSnapshot => ({
    machine: { busy, steal },
    processes: processes.map(([pid, parent, own, children = 0]) => ({
      pid,
      parent,
      own,
      children,
    })),
  });

  test("the machine's share is busy less generator, harness and watcher; kernel threads stay in it", () => {
    const before = snapshot(1000, 10, [
      [2, 0, 5],
      [30, 2, 100],
      [BROKER, HARNESS, 400],
      [HARNESS, 1, 50],
      [WATCHER, HARNESS, 8],
      [7, 1, 1000],
    ]);
    const after = snapshot(1400, 14, [
      [2, 0, 5],
      [30, 2, 190],
      [BROKER, HARNESS, 600],
      [HARNESS, 1, 60, 999],
      [WATCHER, HARNESS, 18],
      [7, 1, 1020],
    ]);
    expect(accountCpu(before, after, parties)).toEqual({
      machineSeconds: 3.3,
      brokerSeconds: 2,
      generatorSeconds: 0.5,
      harnessSeconds: 0.2,
      strangerSeconds: 0.2,
      stealSeconds: 0.04,
    });
  });

  test("a stranger's children count when they have ended, and the harness's never", () => {
    const before = snapshot(0, 0, [
      [HARNESS, 1, 0],
      [8, 1, 10, 0],
      [9, 8, 40],
    ]);
    const after = snapshot(0, 0, [
      [HARNESS, 1, 0, 500],
      [8, 1, 10, 90],
      [11, HARNESS, 70],
    ]);
    expect(accountCpu(before, after, parties).strangerSeconds).toBe(0.5);
  });

  test("nothing is negative", () => {
    const before = snapshot(100, 5, [[BROKER, 1, 50]]);
    const account = accountCpu(before, snapshot(100, 5, []), parties);
    expect(Object.values(account).every((seconds) => seconds >= 0)).toBe(true);
  });
});
