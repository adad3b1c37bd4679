import type { Logger } from "@mantou/broker";
import { sendDatagram } from "@mantou/io";

/** Sends one datagram to a Unix socket. */
export type SendDatagram = (path: string, text: string) => void;

/** While a start or a stop takes its time, the manager is asked for so much more of it. */
const EXTEND_MS = 60_000;
const EXTEND_EVERY_MS = 10_000;

/**
 * Tells a service manager (systemd, Type=notify) how the broker is: sd_notify(3). Without
 * NOTIFY_SOCKET in the environment it does nothing.
 */
export class ServiceManager {
  private readonly path: string | null;
  private readonly watchdogMs: number;
  private timer: ReturnType<typeof setInterval> | null = null;

  constructor(
    environment: Readonly<Record<string, string | undefined>>,
    private readonly logger: Logger,
    private readonly send: SendDatagram = sendDatagram,
  ) {
    const { NOTIFY_SOCKET: path, WATCHDOG_USEC: micros, WATCHDOG_PID: pid } = environment;
    this.path = path === undefined || path === "" ? null : path;
    const isOurs = pid === undefined || pid === "" || pid === String(process.pid);
    this.watchdogMs = isOurs && Number(micros) > 0 ? Number(micros) / 1000 : 0;
  }

  /** The start has begun; it may have to recover logs. */
  starting(): void {
    this.tell("STATUS=Opening logs and metadata");
    this.every(EXTEND_EVERY_MS, () => this.tell(`EXTEND_TIMEOUT_USEC=${EXTEND_MS * 1000}`));
  }

  /** Clients are served. From here on the watchdog is fed, by the loop that must not stall. */
  ready(status: string): void {
    this.tell(`READY=1\nSTATUS=${status}`);
    if (this.watchdogMs > 0) this.every(this.watchdogMs / 2, () => this.tell("WATCHDOG=1"));
    else this.quiet();
  }

  stopping(): void {
    this.tell("STOPPING=1\nSTATUS=Finishing what is in flight");
    this.every(Math.min(EXTEND_EVERY_MS, this.watchdogMs / 2 || EXTEND_EVERY_MS), () =>
      this.tell(`WATCHDOG=1\nEXTEND_TIMEOUT_USEC=${EXTEND_MS * 1000}`),
    );
  }

  /** Stops all regular messages. */
  quiet(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private every(intervalMs: number, call: () => void): void {
    this.quiet();
    if (this.path === null) return;
    this.timer = setInterval(call, intervalMs);
    this.timer.unref();
  }

  private tell(state: string): void {
    if (this.path === null) return;
    try {
      this.send(this.path, state);
    } catch (error) {
      this.logger.warn("service_manager_not_told", {
        state: state.split("\n")[0],
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
}
