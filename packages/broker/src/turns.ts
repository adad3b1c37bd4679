import type { Clock } from "@mantou/base";
import type { Io } from "@mantou/io";
import { TURN_MS } from "./limits.ts";

export interface TurnsParts {
  readonly io: Pick<Io, "soon">;
  readonly clock: Clock;
  /** Takes events until it is that late (monotonic milliseconds); says whether it is. */
  readonly take: (nowMs: number, lateMs: number) => boolean;
}

/**
 * Sees to it that the loop is not kept for longer than a turn. What is left over goes on behind
 * everybody else who waits for the thread: timers, the admin listener, what promises go on with.
 */
export class Turns {
  /** When the thread was last known to have been with others, and when a tick was last over. */
  private beganMs = -Infinity;
  private endedMs = -Infinity;
  /** It goes on by itself; a bell that rings until then is heeded then. */
  private willGoOn = false;
  private stopped = false;

  constructor(private readonly parts: TurnsParts) {}

  /** The bell rings. It may do so during a tick, and is then called without anybody in between. */
  bell(): void {
    if (this.willGoOn) return;
    const nowMs = this.parts.clock.monotonicMs();
    if (nowMs - this.endedMs > TURN_MS) this.beganMs = nowMs;
    if (nowMs - this.beganMs > TURN_MS) this.goOnSoon();
    else this.turn(nowMs);
  }

  /** Something has been done in the loop, and is over. */
  ended(nowMs: number): void {
    this.endedMs = nowMs;
  }

  /** Takes nothing more. */
  stop(): void {
    this.stopped = true;
  }

  private turn(nowMs: number): void {
    if (this.parts.take(nowMs, nowMs + TURN_MS)) this.goOnSoon();
  }

  private goOnSoon(): void {
    this.willGoOn = true;
    this.parts.io.soon(() => {
      this.willGoOn = false;
      if (this.stopped) return;
      this.beganMs = this.parts.clock.monotonicMs();
      this.turn(this.beganMs);
    });
  }
}
