import type { Logger } from "@mantou/broker";
import type { Server } from "./server.ts";

/**
 * Waits for SIGTERM or SIGINT and then for an orderly stop; rejects when that fails. A second
 * signal means now, and ends the process.
 */
export function untilStopped(server: Server, logger: Logger): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopping = false;
    const stop = (signal: string): void => {
      if (stopping) process.exit(1);
      stopping = true;
      logger.info("stopping", { signal });
      server.stop().then(resolve, (error: unknown) => {
        logger.error("stop_failed", { reason: String(error) });
        reject(error);
      });
    };
    process.on("SIGTERM", () => stop("SIGTERM"));
    process.on("SIGINT", () => stop("SIGINT"));
  });
}
