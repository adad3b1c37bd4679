import type { Ambient } from "../ambient.ts";

/** One deadline at a time, on the ambient's clock. */
export class ControllerAlarm {
  private armedMs: number | null = null;
  private disarm: (() => void) | null = null;

  constructor(
    private readonly ambient: Ambient,
    private readonly ring: () => void,
  ) {}

  /** Replaces the deadline, in monotonic milliseconds; null: none. */
  arm(deadlineMs: number | null): void {
    if (deadlineMs === this.armedMs) return;
    this.disarm?.();
    this.disarm = null;
    this.armedMs = deadlineMs;
    if (deadlineMs === null) return;
    const delayMs = Math.max(0, deadlineMs - this.ambient.clock.monotonicMs());
    this.disarm = this.ambient.timers.after(delayMs, () => {
      this.armedMs = null;
      this.disarm = null;
      this.ring();
    });
  }
}
