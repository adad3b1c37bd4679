import type { LogId } from "@mantou/base";
import { offset } from "@mantou/base";
import type { LogStore } from "@mantou/io";
import { IoError } from "@mantou/io";
import type { PartitionTable } from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { Partitions } from "./partitions.ts";

export interface RetentionParts {
  readonly ambient: Ambient;
  readonly logs: LogStore;
  readonly table: PartitionTable;
  readonly partitions: Partitions;
  readonly intervalMs: () => number;
  readonly startOffsetMoved: (logId: LogId) => void;
}

/** `retention.ms` and `retention.bytes` in force: asks each log in turn, one at a time. */
export class Retention {
  private cancel: (() => void) | null = null;
  private stopped = false;

  constructor(private readonly parts: RetentionParts) {}

  start(): void {
    this.cancel = this.parts.ambient.timers.after(this.parts.intervalMs(), () => {
      this.round().then(
        () => {
          if (!this.stopped) this.start();
        },
        (error: unknown) => this.parts.ambient.fatal("retention failed", error),
      );
    });
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  /** One pass over all logs that hold anything. */
  async round(): Promise<void> {
    for (const logId of this.parts.partitions.openLogIds()) {
      if (this.stopped) return;
      const { table } = this.parts;
      // Its topic may have been deleted while the logs before it were looked at.
      if (!table.isOpen(logId)) continue;
      // A log without data has no file, hence nothing that could expire.
      if (table.logEndOffset(logId) === table.logStartOffset(logId)) continue;
      await this.retain(logId);
    }
  }

  private async retain(logId: LogId): Promise<void> {
    const { ambient, logs, table, partitions } = this.parts;
    const config = partitions.configOf(logId);
    // What is only compacted grows old without going.
    if (!config.cleanupDelete) return;
    const before = table.logStartOffset(logId);
    try {
      const state = await logs.retain(
        logId,
        config.retentionMs < 0 ? Infinity : config.retentionMs,
        config.retentionBytes < 0 ? Infinity : config.retentionBytes,
        offset(table.highWatermark(logId)),
        ambient.clock.wallMs(),
      );
      if (state.startOffset > before && table.isOpen(logId)) {
        table.trimmed(logId, state.startOffset);
        this.parts.startOffsetMoved(logId);
      }
    } catch (error) {
      // The log may have been deleted or have failed meanwhile; both have owners.
      if (!(error instanceof IoError)) throw error;
      ambient.logger.warn("retention_failed", { logId, reason: error.message });
    }
  }
}
