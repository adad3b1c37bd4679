import type { NetworkOptions } from "./ports.ts";

/** What an engine needs before the first byte arrives. The same for both engines. */
export interface IoOptions {
  /** Bytes of the arena, all connections together. Default {@link ARENA_BYTES}. */
  readonly arenaBytes?: number;
  /** Limits of the network; what is absent comes from {@link DEFAULT_NETWORK_OPTIONS}. */
  readonly network?: Partial<NetworkOptions>;
  /**
   * Takes what an engine says in words about a fault that an event is about to tell: which file,
   * which error. One line, for the log. Default: a line on standard error.
   */
  readonly report?: (text: string) => void;
}

/** Address space, not memory: pages are touched only while frames are in flight. */
export const ARENA_BYTES = 168 * 1024 * 1024;

/** Kafka's defaults where Kafka has one (`connections.max.idle.ms`). */
export const DEFAULT_NETWORK_OPTIONS: NetworkOptions = {
  connectionsMax: 10_000,
  connectionsPerIpMax: 10_000,
  idleTimeoutMs: 600_000,
  connectionQuotaBytes: 8 * 1024 * 1024,
  outputQuotaBytes: 64 * 1024 * 1024,
};

export const reportToStderr = (text: string): void => console.error(`mantou: ${text}`);

/** Completes the options of a caller. */
export const networkOptions = (given: Partial<NetworkOptions> | undefined): NetworkOptions => ({
  ...DEFAULT_NETWORK_OPTIONS,
  ...given,
});
