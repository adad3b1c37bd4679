import type { Logger } from "@mantou/broker";

/** Numbers that shells add 128 to. */
const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;
type StopSignal = keyof typeof NUMBERS;

/**
 * SIGTERM and SIGINT from the first moment of a process: as process 1 of a container it has no
 * other way to end. Before the broker serves, a signal ends it at once, as a crash would and as
 * safely; then the first one asks for an orderly stop, and a second one means now.
 */
export class StopSignals {
  /** Resolves with the first signal while the broker serves. */
  readonly first: Promise<StopSignal>;
  private resolve: (signal: StopSignal) => void = () => {};
  private phase: "starting" | "serving" | "stopping" = "starting";

  constructor(
    private readonly logger: Logger,
    private readonly exit: (status: number) => void = process.exit,
  ) {
    this.first = new Promise((resolve) => {
      this.resolve = resolve;
    });
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => this.take(signal));
    }
  }

  /** Clients are served: from here on a stop is an orderly one. */
  serving(): void {
    this.phase = "serving";
  }

  private take(signal: StopSignal): void {
    switch (this.phase) {
      case "starting":
        this.logger.info("stopped", { signal, why: "it came before clients were served" });
        this.exit(128 + NUMBERS[signal]);
        return;
      case "serving":
        this.phase = "stopping";
        this.logger.info("stopping", { signal });
        this.resolve(signal);
        return;
      case "stopping":
        this.logger.warn("stopped_at_once", {
          signal,
          why: "a second signal; the next start recovers as after a crash",
        });
        this.exit(1);
    }
  }
}
