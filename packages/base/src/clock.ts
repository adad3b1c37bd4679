import type { Millis } from "./brand.ts";

/** The only way a driver learns the time. Machines take `now` as an argument instead. */
export interface Clock {
  /** Wall-clock time: may jump. For record timestamps and retention. */
  wallMs(): Millis;
  /** Monotonic time in milliseconds from an arbitrary start. For deadlines and latencies. */
  monotonicMs(): number;
}
