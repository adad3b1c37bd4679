import type { Logger } from "@mantou/broker";
import { EXIT_FATAL } from "./ambient.ts";

/**
 * What nobody caught ends the process with a line that says why: state that was left half changed
 * is not to be served from.
 */
export function endOnStrayErrors(logger: Logger): void {
  const end = (reason: string, error: unknown): void => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logger.error("fatal", { reason, detail });
    process.exit(EXIT_FATAL);
  };
  process.on("uncaughtException", (error) => end("an exception that nobody caught", error));
  process.on("unhandledRejection", (error) => end("a rejection that nobody handled", error));
}
