import type { LogId } from "@mantou/base";
import { StoreCode } from "../layout.ts";
import { IoError } from "../ports.ts";
import type { EventQueue } from "./events.ts";
import type { LogWorker, OpenLog } from "./log-worker.ts";
import type { Scheduler } from "./scheduler.ts";

/** Where a call on a log stands among the appends of that log, and whom it may meet. */
export interface CallPlace {
  /** What was appended before must be flushed first. */
  readonly afterFlush: boolean;
  /** A failed log takes the call too. */
  readonly evenFailed: boolean;
}

const BEHIND_WRITES: CallPlace = { afterFlush: false, evenFailed: false };

/** Cold calls: run in their place, settled through the event stream. */
export class LogCalls {
  constructor(
    private readonly worker: LogWorker,
    private readonly events: EventQueue,
    private readonly scheduler: Scheduler,
    private readonly isOpen: () => boolean,
  ) {}

  /** Runs in the log's own order. */
  onLog<T>(logId: LogId, run: (log: OpenLog) => T, place = BEHIND_WRITES): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const log = this.worker.logs.get(logId);
      const refuse = (error: IoError): void => this.events.complete(() => reject(error));
      if (!this.isOpen()) {
        refuse(new IoError("CLOSED", "the store is not open"));
        return;
      }
      if (log === undefined) {
        refuse(new IoError("UNKNOWN_LOG", `log ${logId} is not open`));
        return;
      }
      const settle = (): void => this.settle(() => run(log), resolve, reject);
      if (log.failure === StoreCode.OK) this.worker.call(log, { ...place, run: settle, refuse });
      else if (place.evenFailed) settle();
      else refuse(new IoError("OFFLINE", `log ${logId} has failed`));
    });
  }

  /** Runs after the current task. */
  later<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.scheduler.soon(() => this.settle(run, resolve, reject));
    });
  }

  /** Runs once every log has written and flushed what it was given. */
  whenIdle(run: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.worker.whenIdle(() => this.settle(run, resolve, reject));
    });
  }

  private settle<T>(
    run: () => T,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    try {
      const value = run();
      this.events.complete(() => resolve(value));
    } catch (error) {
      this.events.complete(() => reject(error));
    }
  }
}
