import type { Clock } from "@mantou/base";

/** Delayed calls, injected so that a test or a simulation can move time. */
export interface Timers {
  /** Calls once after at least `delayMs`; returns a function that cancels. */
  after(delayMs: number, call: () => void): () => void;
}

/** Structured lines for people and machines. Values are plain; control characters are escaped. */
export interface Logger {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What the broker takes from its surroundings besides `Io`. */
export interface Ambient {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Told to clients of a listener that is bound to every interface and advertises nothing. */
  readonly hostName: string;
  /** Entropy for ids (topic ids, session ids). Deterministic in a simulation. */
  randomBytes(length: number): Uint8Array;
  /** Stops the process: the environment or our own state cannot be trusted any more. */
  fatal(reason: string, error?: unknown): void;
}
