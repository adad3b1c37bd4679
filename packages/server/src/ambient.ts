import { hostname } from "node:os";
import type { Millis } from "@mantou/base";
import type { Ambient, Logger } from "@mantou/broker";

/** Exit status after a fault that the process must not survive. */
export const EXIT_FATAL = 70;

/** The real world: the system's clocks, timers and entropy. */
export function systemAmbient(logger: Logger): Ambient {
  return {
    clock: {
      wallMs: () => Date.now() as Millis,
      monotonicMs: () => performance.now(),
    },
    timers: {
      after(delayMs, call) {
        // A delay above 2^31 - 1 would fire at once; nothing of ours waits that long on purpose.
        const timer = setTimeout(call, Math.min(delayMs, 0x7fff_ffff));
        return () => clearTimeout(timer);
      },
    },
    logger,
    hostName: hostname(),
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    fatal(reason, error) {
      const detail = error instanceof Error ? (error.stack ?? error.message) : undefined;
      logger.error("fatal", { reason, ...(detail === undefined ? {} : { detail }) });
      process.exit(EXIT_FATAL);
    },
  };
}
