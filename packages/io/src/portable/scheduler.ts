/** How the portable engine lets time pass. A simulator puts its own, virtual one in its place. */
export interface Scheduler {
  /** Runs a task after the current one, in the order of the calls. */
  soon(task: () => void): void;
  /** Runs a task after a delay in milliseconds; the result cancels it. */
  after(delayMs: number, task: () => void): () => void;
  /** Monotonic milliseconds. */
  nowMs(): number;
}

/** The event loop's own time. */
export const eventLoopScheduler: Scheduler = {
  soon(task) {
    setImmediate(task);
  },
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  nowMs: () => performance.now(),
};
