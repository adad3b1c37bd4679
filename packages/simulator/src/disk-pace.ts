import type { Prng } from "@mantou/base";
import type { Scheduler } from "@mantou/io";
import type { Process } from "./time.ts";

/** How fast the disk is at the moment. */
export interface DiskWeather {
  /** A step (a group's writes, its flush, a cold call) takes up to so long, in milliseconds. */
  stepMsMax: number;
  /** One step in so many takes up to `stallMsMax`; 0: none. */
  stallOneIn: number;
  stallMsMax: number;
}

export const fairDisk = (): DiskWeather => ({ stepMsMax: 0.5, stallOneIn: 0, stallMsMax: 0 });

/** The disk's share of time: steps take a while, and keep their order. */
export class DiskPace implements Scheduler {
  private readyMs = 0;

  constructor(
    private readonly process: Process,
    private readonly prng: Prng,
    private readonly weather: DiskWeather,
  ) {}

  soon(task: () => void): void {
    const { weather, prng } = this;
    const nowMs = this.process.nowMs();
    let tookMs = (weather.stepMsMax * prng.below(1000)) / 1000;
    if (weather.stallOneIn > 0 && prng.chance(1, weather.stallOneIn)) {
      tookMs += prng.below(weather.stallMsMax);
    }
    this.readyMs = Math.max(this.readyMs, nowMs + tookMs);
    this.process.after(this.readyMs - nowMs, task);
  }

  after(delayMs: number, task: () => void): () => void {
    return this.process.after(delayMs, task);
  }

  nowMs(): number {
    return this.process.nowMs();
  }
}
