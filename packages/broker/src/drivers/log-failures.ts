import type { LogId } from "@mantou/base";
import { AssertionError } from "@mantou/base";
import { StoreCode } from "@mantou/io";
import type { PartitionTable } from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { Coordinators } from "../coordinators/coordinators.ts";
import type { ProduceStage } from "../handlers/produce.ts";
import type { FetchStage } from "../handlers/fetch.ts";
import type { Partitions } from "./partitions.ts";

/** Pause before a failed log is opened again; doubled up to the maximum while it keeps failing. */
const REOPEN_MS = 100;
const REOPEN_MS_MAX = 30_000;

export interface LogFailuresParts {
  readonly ambient: Ambient;
  readonly table: PartitionTable;
  readonly partitions: () => Partitions;
  readonly produce: () => ProduceStage;
  readonly fetch: () => FetchStage;
  readonly coordinators: Pick<Coordinators, "logFailed">;
}

/** What happens when the disk says no: who is told, what is opened again, when the process stops. */
export class LogFailures {
  private readonly pauses = new Map<LogId, number>();
  /** Logs that are to be opened, with what cancels it. */
  private readonly timers = new Map<LogId, () => void>();
  private storeCode: number = StoreCode.OK;
  private stopped = false;

  constructor(private readonly parts: LogFailuresParts) {}

  /** False while appends are refused: the volume is full, or an fsync has failed. */
  get accepts(): boolean {
    return this.storeCode === StoreCode.OK;
  }

  storeState(code: number): void {
    const { ambient } = this.parts;
    if (code === StoreCode.SYNC_FAILED) {
      // Linux drops the pages of a failed fsync; a second one would lie. Only a restart, with its
      // recovery, knows what is on the disk.
      ambient.fatal("fsync failed: what was written since is not durable; check the disk, restart");
      return;
    }
    if (code === this.storeCode) return;
    this.storeCode = code;
    if (code === StoreCode.LOW_SPACE) {
      ambient.logger.error("disk_low", {
        why: "free space is below the reserve; produce requests are refused until there is more",
        todo: "free space on the volume, lower retention, or delete topics",
      });
    } else {
      ambient.logger.info("disk_ok", { why: "there is free space again" });
    }
  }

  logFailed(logId: LogId, code: number, offset: number): void {
    const { ambient, table } = this.parts;
    const hosted = this.parts.partitions().describe(logId);
    if (hosted === undefined) return;
    const where = { topic: hosted.topic, partition: hosted.partition, offset };
    if (code === StoreCode.CORRUPT) {
      ambient.logger.error("log_corrupt", {
        ...where,
        why: "stored bytes fail their checksum; the range is not served",
        todo: "restore the partition from a copy, or delete and re-create the topic",
      });
      return;
    }
    if (code === StoreCode.READ_FAILED) {
      // The engine goes on with the log and says so once; each fetch of that place is answered.
      ambient.logger.error("log_read_failed", {
        ...where,
        why: "the disk did not give back what it holds; what can be read is served",
        todo: "check the disk, and have a copy ready",
      });
      return;
    }
    ambient.logger.error("log_failed", { ...where, code });
    table.failed(logId);
    this.parts.produce().failed(logId);
    this.parts.fetch().watermarkMoved(logId);
    this.parts.coordinators.logFailed(logId);
    this.openLater(logId);
  }

  /** Opens a log after a pause, and again and again until the disk takes it. */
  openLater(logId: LogId): void {
    const pauseMs = this.pauses.get(logId) ?? REOPEN_MS;
    this.pauses.set(logId, Math.min(pauseMs * 2, REOPEN_MS_MAX));
    if (this.stopped) return;
    const cancel = this.parts.ambient.timers.after(pauseMs, () => void this.reopen(logId));
    this.timers.set(logId, cancel);
  }

  /** Nothing is opened any more. */
  stop(): void {
    this.stopped = true;
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
  }

  private async reopen(logId: LogId): Promise<void> {
    this.timers.delete(logId);
    const { ambient, partitions } = this.parts;
    const hosted = partitions().describe(logId);
    const where = { topic: hosted?.topic, partition: hosted?.partition };
    try {
      const isOpen = await partitions().reopen(logId);
      this.pauses.delete(logId);
      if (isOpen) ambient.logger.info("log_reopened", where);
    } catch (error) {
      if (error instanceof AssertionError) ambient.fatal("a log cannot be opened", error);
      ambient.logger.error("log_reopen_failed", { ...where, reason: String(error) });
      this.openLater(logId);
    }
  }
}
