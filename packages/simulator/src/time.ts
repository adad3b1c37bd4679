import { drainMicrotasks } from "bun:jsc";
import type { Clock, Millis } from "@mantou/base";
import type { Timers } from "@mantou/broker";
import type { Scheduler } from "@mantou/io";

interface Event {
  readonly dueMs: number;
  /** Breaks ties: what was planned first happens first. */
  readonly order: number;
  readonly process: Process;
  readonly run: () => void;
  cancelled: boolean;
}

const WALL_START_MS = 1_700_000_000_000;
const MONOTONIC_START_MS = 1_000;

/**
 * Everything that will happen, in one order. Time moves only from one event to the next, promises
 * are settled before the next event begins, and nothing here knows the time of the real world.
 */
export class VirtualTime {
  /** How many events have happened. */
  steps = 0;
  readonly clock: Clock = {
    wallMs: () => Math.floor(WALL_START_MS + this.nowMs - MONOTONIC_START_MS) as Millis,
    monotonicMs: () => this.nowMs,
  };
  nowMs = MONOTONIC_START_MS;
  /** A binary heap. */
  private readonly heap: Event[] = [];
  private planned = 0;

  /** Something that can die: a broker, a client. What it had planned dies with it. */
  process(name: string): Process {
    return new Process(this, name);
  }

  plan(process: Process, delayMs: number, run: () => void): Event {
    const dueMs = this.nowMs + Math.max(0, delayMs);
    const event = { dueMs, order: this.planned++, process, run, cancelled: false };
    this.push(event);
    return event;
  }

  /** Lets the next event happen; false where none is planned. */
  step(): boolean {
    for (;;) {
      const event = this.pop();
      if (event === null) return false;
      if (event.cancelled || !event.process.isAlive) continue;
      this.nowMs = Math.max(this.nowMs, event.dueMs);
      this.steps += 1;
      try {
        event.run();
        drainMicrotasks();
      } catch (error) {
        // A process that has stopped itself throws so that nothing after it happens.
        if (event.process.isAlive) throw error;
      }
      return true;
    }
  }

  private push(event: Event): void {
    const { heap } = this;
    let child = heap.length;
    heap.push(event);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (isBefore(heap[parent] as Event, event)) break;
      heap[child] = heap[parent] as Event;
      child = parent;
    }
    heap[child] = event;
  }

  private pop(): Event | null {
    const { heap } = this;
    const first = heap[0];
    if (first === undefined) return null;
    const last = heap.pop() as Event;
    if (heap.length === 0) return first;
    let parent = 0;
    for (;;) {
      let child = parent * 2 + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Event)) child += 1;
      if (isBefore(last, heap[child] as Event)) break;
      heap[parent] = heap[child] as Event;
      parent = child;
    }
    heap[parent] = last;
    return first;
  }
}

const isBefore = (a: Event, b: Event): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

/** One process's share of time. After `kill` nothing that it had planned happens any more. */
export class Process implements Scheduler, Timers {
  isAlive = true;

  constructor(
    readonly time: VirtualTime,
    readonly name: string,
  ) {}

  soon(task: () => void): void {
    if (this.isAlive) this.time.plan(this, 0, task);
  }

  after(delayMs: number, task: () => void): () => void {
    if (!this.isAlive) return () => {};
    const event = this.time.plan(this, delayMs, task);
    return () => {
      event.cancelled = true;
    };
  }

  nowMs(): number {
    return this.time.nowMs;
  }

  /** Resolves after a while; never, once the process is dead. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  kill(): void {
    this.isAlive = false;
  }
}
