import { drainMicrotasks } from "bun:jsc";
import type { Clock, Millis } from "@mantou/base";
import type { Timers } from "@mantou/broker";
import type { Scheduler } from "@mantou/io";

interface Timer {
  readonly dueMs: number;
  readonly number: number;
  readonly call: () => void;
}

/** A round of work that does not come to rest within so many tasks never will. */
const TASKS_MAX = 1_000_000;

/**
 * Time that moves only when it is told to, for the engine and the broker alike. Everything runs
 * inside of `run`, on the caller's stack, in one order: the same calls give the same run.
 */
export class VirtualTime implements Scheduler, Timers {
  readonly clock: Clock;
  private monotonicMs = 1_000;
  /** Wall clock minus monotonic clock; leaps of the monotonic clock do not age the data. */
  private wallAheadMs: number;
  private tasks: (() => void)[] = [];
  private timers: Timer[] = [];
  private count = 0;

  constructor(wallMs = 1_700_000_000_000) {
    this.wallAheadMs = wallMs - this.monotonicMs;
    this.clock = {
      wallMs: () => Math.floor(this.wallAheadMs + this.monotonicMs) as Millis,
      monotonicMs: () => this.monotonicMs,
    };
  }

  /** The time of the next process: as late as this one, with nothing planned. */
  successor(): VirtualTime {
    const next = new VirtualTime();
    next.monotonicMs = this.monotonicMs;
    next.wallAheadMs = this.wallAheadMs;
    return next;
  }

  soon(task: () => void): void {
    this.tasks.push(task);
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { dueMs: this.monotonicMs + delayMs, number: this.count++, call };
    this.timers.push(timer);
    return () => {
      const index = this.timers.indexOf(timer);
      if (index >= 0) this.timers.splice(index, 1);
    };
  }

  nowMs(): number {
    return this.monotonicMs;
  }

  /** Runs tasks and promises until none are left. Time stands still. */
  run(): void {
    for (let steps = 0; steps < TASKS_MAX; steps += 1) {
      drainMicrotasks();
      if (this.tasks.length === 0) return;
      const tasks = this.tasks;
      this.tasks = [];
      for (const task of tasks) task();
    }
    throw new Error("work goes on for ever while time stands still");
  }

  /** Moves both clocks on, firing timers at their time. */
  advance(ms: number): void {
    const untilMs = this.monotonicMs + ms;
    for (;;) {
      const next = this.next();
      if (next === undefined || next.dueMs > untilMs) break;
      this.monotonicMs = Math.max(this.monotonicMs, next.dueMs);
      this.fire(next);
    }
    this.monotonicMs = untilMs;
    this.run();
  }

  /**
   * Moves the monotonic clock far ahead at once: what is due fires once, and what it arms counts
   * from the new time. The wall clock stays, so that nothing expires by its age.
   */
  leap(ms: number): void {
    this.monotonicMs += ms;
    this.wallAheadMs -= ms;
    const due = this.timers.filter((timer) => timer.dueMs <= this.monotonicMs);
    due.sort(byDue);
    for (const timer of due) if (this.timers.includes(timer)) this.fire(timer);
    this.run();
  }

  private fire(timer: Timer): void {
    this.timers.splice(this.timers.indexOf(timer), 1);
    timer.call();
    this.run();
  }

  private next(): Timer | undefined {
    let next = this.timers[0];
    for (const timer of this.timers) {
      if (next === undefined || byDue(timer, next) < 0) next = timer;
    }
    return next;
  }
}

const byDue = (a: Timer, b: Timer): number => a.dueMs - b.dueMs || a.number - b.number;
