import { isRetriable } from "./errors.ts";

const FIRST_PAUSE_MS = 20;
const PAUSE_MS_MAX = 1000;

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** The pause before attempt `attempt` (1: the first repetition), half of it left to chance. */
export function backoffMs(attempt: number): number {
  const full = Math.min(PAUSE_MS_MAX, FIRST_PAUSE_MS * 2 ** (attempt - 1));
  return full / 2 + (Math.random() * full) / 2;
}

/**
 * Calls until it works, fails for good or `timeoutMs` have passed; then throws the last error.
 * @param onRetry called with the error before the next attempt.
 */
export async function retrying<T>(
  timeoutMs: number,
  call: (leftMs: number) => Promise<T>,
  onRetry: (error: unknown) => void = () => {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(Math.max(1, deadline - performance.now()));
    } catch (error) {
      const pauseMs = backoffMs(attempt);
      if (!isRetriable(error) || performance.now() + pauseMs >= deadline) throw error;
      onRetry(error);
      await pause(pauseMs);
    }
  }
}
