import type { Prng } from "@mantou/base";
import type { Survivors } from "@mantou/io";
import { fairDisk } from "./disk-pace.ts";
import type { Machine } from "./machine.ts";
import type { Process, VirtualTime } from "./time.ts";
import type { Trace } from "./trace.ts";
import type { Wires } from "./wires.ts";
import { fairWeather } from "./wires.ts";

/** Something that clients of the run do badly at the nemesis's word. */
export interface Victim {
  /** A client crashes, and another takes its place. */
  crashOne(): void;
}

export interface NemesisOptions {
  readonly time: VirtualTime;
  readonly machine: Machine;
  readonly wires: Wires;
  readonly trace: Trace;
  readonly prng: Prng;
  readonly victims: Victim;
}

/** Faults of a run, each with its weight: a seed draws which ones it has at all. */
const FAULTS = [
  "crash",
  "crash",
  "crash",
  "restart",
  "cut",
  "cut",
  "slowNetwork",
  "slowDisk",
  "holdFlushes",
  "failWrites",
  "failFlush",
  "clientCrash",
  "calm",
] as const;
type Fault = (typeof FAULTS)[number];

/** Breaks things, by the seed, until it is told that all is to be well. */
export class Nemesis {
  private readonly process: Process;
  private readonly drawn: Fault[];
  private isOver = false;
  /** The broker is to crash once so many events have happened. */
  private crashAtStep = Infinity;

  constructor(private readonly options: NemesisOptions) {
    this.process = options.time.process("nemesis");
    const { prng } = options;
    // Swarms: a run has some kinds of faults and not others, so that each gets its chance.
    const drawn = FAULTS.filter(() => prng.chance(2, 3));
    this.drawn = drawn.length === 0 ? ["crash"] : drawn;
  }

  start(): void {
    this.next();
  }

  /** Called between any two events. */
  beforeStep(): void {
    const { time, machine } = this.options;
    if (time.steps >= this.crashAtStep) {
      this.crashAtStep = Infinity;
      this.crash();
    }
    // A broker whose flush has failed stops itself; the machine starts it again.
    const { instance } = machine;
    if (instance !== null && !instance.process.isAlive) this.crash();
  }

  /** All is well from now on. */
  heal(): void {
    this.isOver = true;
    this.process.kill();
    this.crashAtStep = Infinity;
    const { machine, wires, trace } = this.options;
    trace.add("nemesis", "heal");
    wires.weather = fairWeather();
    Object.assign(machine.diskWeather, fairDisk());
    machine.disk.failWrites = false;
    // A disk that has failed a flush does not come back to this broker.
    if (machine.flushHasFailed) this.crash();
    machine.disk.failFlushes = false;
    machine.flushHasFailed = false;
    machine.disk.releaseFlushes();
    if (machine.instance === null) machine.start();
  }

  /** Starts a broker again that has stopped itself over what it met before all was healed. */
  revive(): void {
    const { machine } = this.options;
    if (machine.instance?.process.isAlive === false) this.crash();
    if (machine.instance === null) machine.start();
  }

  private next(): void {
    this.process.after(this.options.prng.between(50, 1_500), () => {
      this.strike();
      if (!this.isOver) this.next();
    });
  }

  private strike(): void {
    const { prng, machine, wires, trace, time, victims } = this.options;
    const fault = prng.pick(this.drawn);
    trace.add("nemesis", fault);
    switch (fault) {
      case "crash":
        this.crashAtStep = time.steps + prng.between(1, 400);
        return;
      case "restart":
        if (!machine.isUp) return;
        machine.stop(() => (this.isOver ? machine.start() : this.restartLater()));
        return;
      case "cut":
        trace.add("nemesis", `cut ${wires.cutOne() ?? "nothing"}`);
        return;
      case "slowNetwork":
        this.slowNetwork();
        return;
      case "slowDisk":
        machine.diskWeather.stepMsMax = prng.between(1, 30);
        machine.diskWeather.stallOneIn = prng.between(5, 50);
        machine.diskWeather.stallMsMax = prng.between(50, 1_000);
        this.later(() => Object.assign(machine.diskWeather, fairDisk()));
        return;
      case "holdFlushes":
        machine.disk.holdFlushes();
        this.later(() => machine.disk.releaseFlushes());
        return;
      case "failWrites":
        machine.disk.failWrites = true;
        machine.writesHaveFailed = true;
        this.process.after(prng.between(1, 100), () => {
          machine.disk.failWrites = false;
        });
        return;
      case "failFlush":
        if (machine.instance === null) return;
        machine.flushHasFailed = true;
        machine.disk.failFlushes = true;
        this.process.after(prng.between(1, 300), () => this.crash());
        return;
      case "clientCrash":
        victims.crashOne();
        return;
      case "calm":
        return;
    }
  }

  private later(run: () => void): void {
    this.process.after(this.options.prng.between(20, 1_500), run);
  }

  private slowNetwork(): void {
    const { wires, prng } = this.options;
    wires.weather = {
      latencyMsMin: prng.between(0, 20),
      latencyMsMax: prng.between(20, 100),
      stallOneIn: prng.between(5, 100),
      stallMsMax: prng.between(100, 4_000),
      refuseOneIn: prng.between(0, 3),
    };
    this.later(() => {
      wires.weather = fairWeather();
    });
  }

  private crash(): void {
    const { machine, prng } = this.options;
    if (machine.instance === null) return;
    const kind = prng.below(4);
    // A killed process leaves its machine's page cache; a power cut keeps any prefix of it.
    const survivors: Survivors = (_, count) => {
      if (kind === 0) return count;
      return kind === 1 ? 0 : prng.below(count + 1);
    };
    machine.crash(survivors, prng.chance(1, 5));
    if (!this.isOver) this.restartLater();
  }

  private restartLater(): void {
    this.process.after(this.options.prng.between(1, 400), () => {
      if (this.options.machine.instance === null) this.options.machine.start();
    });
  }
}
