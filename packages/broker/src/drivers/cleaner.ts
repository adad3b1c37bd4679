import { type LogId, type Millis, offset } from "@mantou/base";
import type { CleanerConfig, TopicConfig } from "@mantou/catalog";
import { BATCH_HEADER_DOUBLES, BatchHeader, IoError } from "@mantou/io";
import type { CleanOutcome, LogStore, SegmentInfo } from "@mantou/io";
import type { CompactionPlan, PartitionTable, ProducerStates } from "@mantou/replication";
import { planCompaction } from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { BrokerCounters } from "../counters.ts";
import { CLEAN_INFLATED_BYTES_MAX, INFLATION_MAX } from "../limits.ts";
import { CleanNotes, type KnownLog } from "./cleaner-notes.ts";
import type { Partitions } from "./partitions.ts";

export interface CleanerParts {
  readonly ambient: Ambient;
  readonly logs: LogStore;
  readonly table: PartitionTable;
  readonly producers: ProducerStates;
  readonly partitions: Pick<Partitions, "openLogIds" | "configOf" | "describe">;
  readonly counters: BrokerCounters;
  readonly config: () => CleanerConfig;
}

interface Candidate {
  readonly logId: LogId;
  readonly config: TopicConfig;
  readonly plan: CompactionPlan;
}

/**
 * `cleanup.policy=compact` in force: every `log.cleaner.backoff.ms` the logs that need it most are
 * cleaned, one after the other. What is clean is written down in `cleaner-offset-checkpoint`.
 */
export class Cleaner {
  private cancel: (() => void) | null = null;
  private stopped = false;
  private readonly notes: CleanNotes;

  constructor(private readonly parts: CleanerParts) {
    this.notes = new CleanNotes(parts.ambient, parts.logs, parts.partitions);
  }

  start(): void {
    this.cancel = this.parts.ambient.timers.after(this.parts.config().backoffMs, () => {
      this.round().then(
        () => {
          if (!this.stopped) this.start();
        },
        (error: unknown) => this.parts.ambient.fatal("compaction failed", error),
      );
    });
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  /** One look at all compacted logs, and a run for each that needs one. */
  async round(): Promise<void> {
    if (!this.parts.config().enable) return;
    await this.notes.load();
    this.notes.forgetGone();
    this.parts.counters.uncleanableLogs = this.notes.brokenCount;
    const candidates: Candidate[] = [];
    for (const logId of this.parts.partitions.openLogIds()) {
      if (this.stopped) return;
      const candidate = await this.look(logId);
      if (candidate !== null) candidates.push(candidate);
    }
    if (candidates.length === 0) return;
    candidates.sort(
      (a, b) =>
        Number(b.plan.isOverdue) - Number(a.plan.isOverdue) ||
        b.plan.dirtyRatio - a.plan.dirtyRatio,
    );
    // Only what lies below the recovery points is cleaned.
    if (!(await this.checkpointLogs())) return;
    for (const candidate of candidates) {
      if (this.stopped) return;
      await this.clean(candidate);
    }
  }

  private isCleanable(logId: LogId): boolean {
    const { table } = this.parts;
    // Its topic may have been deleted while the logs before it were looked at.
    return table.isOpen(logId) && !table.isFailed(logId);
  }

  /** Judges a log; null where there is nothing to do. */
  private async look(logId: LogId): Promise<Candidate | null> {
    const { table, partitions, logs } = this.parts;
    if (!this.isCleanable(logId)) return null;
    const config = partitions.configOf(logId);
    if (!config.cleanupCompact) return null;
    const known = this.notes.of(logId);
    if (known === null || known.broken) return null;
    if (table.logEndOffset(logId) === table.logStartOffset(logId)) return null;
    this.prune(logId, known);
    try {
      const segments = await logs.segments(logId);
      if (!this.isCleanable(logId)) return null;
      const hasLag = config.maxCompactionLagMs < Number.MAX_SAFE_INTEGER;
      if (hasLag) await this.rollOld(logId, config, segments);
      const first = hasLag ? await this.firstDirtyTimestamp(logId, known.cleanEnd) : null;
      if (!this.isCleanable(logId)) return null;
      const plan = this.plan(logId, config, segments, known, first);
      const isDirty = plan.dirtyRatio > config.minCleanableDirtyRatio;
      return isDirty || plan.isOverdue ? { logId, config, plan } : null;
    } catch (error) {
      this.report(logId, error);
      return null;
    }
  }

  private plan(
    logId: LogId,
    config: TopicConfig,
    segments: readonly SegmentInfo[],
    known: KnownLog,
    firstDirtyTimestamp: number | null,
  ): CompactionPlan {
    const { ambient, table, producers } = this.parts;
    return planCompaction({
      segments,
      logStartOffset: table.logStartOffset(logId),
      lastStableOffset: producers.lastStableOffset(logId, table.highWatermark(logId)),
      cleanEndOffset: known.cleanEnd,
      firstDirtyTimestamp,
      minCompactionLagMs: config.minCompactionLagMs,
      maxCompactionLagMs: config.maxCompactionLagMs,
      nowMs: ambient.clock.wallMs(),
    });
  }

  /** A log that nobody appends to any more has its last records compacted in time all the same. */
  private async rollOld(
    logId: LogId,
    config: TopicConfig,
    segments: readonly SegmentInfo[],
  ): Promise<void> {
    const active = segments.at(-1);
    const oldestMs = this.parts.ambient.clock.wallMs() - config.maxCompactionLagMs;
    if (active === undefined || active.bytes === 0 || active.largestTimestamp < 0) return;
    if (active.largestTimestamp < oldestMs) await this.parts.logs.roll(logId);
  }

  private async firstDirtyTimestamp(logId: LogId, cleanEnd: number): Promise<number | null> {
    const { logs, table } = this.parts;
    const from = Math.max(cleanEnd, table.logStartOffset(logId));
    if (from >= table.highWatermark(logId)) return null;
    const headers = await logs.readHeaders(logId, offset(from), 1);
    if (headers.length < BATCH_HEADER_DOUBLES) return null;
    const timestamp = headers[BatchHeader.maxTimestamp] as number;
    return timestamp < 0 ? null : timestamp;
  }

  /** Runs until the log is clean up to its limit: more keys than fit memory take several runs. */
  private async clean({ logId, config, plan }: Candidate): Promise<void> {
    const { limit } = plan;
    let { firstDirtyOffset } = plan;
    while (!this.stopped && this.isCleanable(logId)) {
      const outcome = await this.run(logId, config, firstDirtyOffset, limit);
      if (outcome === null || outcome.cleanEndOffset <= firstDirtyOffset) return;
      firstDirtyOffset = outcome.cleanEndOffset;
      const known = this.notes.of(logId);
      if (known === null) return;
      known.fromStart ||= plan.firstDirtyOffset <= this.parts.table.logStartOffset(logId);
      known.cleanEnd = firstDirtyOffset;
      this.tell(logId, outcome);
      await this.notes.write();
      if (!outcome.isMapFull) return;
    }
  }

  private async run(
    logId: LogId,
    config: TopicConfig,
    firstDirtyOffset: number,
    limit: number,
  ): Promise<CleanOutcome | null> {
    const { ambient, logs, producers } = this.parts;
    const { mapBytes, bytesPerSecondMax } = this.parts.config();
    const inflatedMax = Math.max(config.maxMessageBytes * INFLATION_MAX, CLEAN_INFLATED_BYTES_MAX);
    try {
      return await logs.clean(logId, {
        firstDirtyOffset: offset(firstDirtyOffset),
        limit: offset(limit),
        nowMs: ambient.clock.wallMs() as Millis,
        deleteRetentionMs: config.deleteRetentionMs,
        mapBytes,
        inflatedBytesMax: Math.min(inflatedMax, 0xffff_ffff),
        bytesPerSecondMax,
        producers: producers.lastOffsets(logId),
      });
    } catch (error) {
      this.report(logId, error);
      return null;
    }
  }

  /**
   * Nobody asks any more which records were aborted where there are none left. One round later:
   * until then an answer may be on its way that was located before. And only where this process
   * has seen to it: what is noted may be of another topic of that name.
   */
  private prune(logId: LogId, known: KnownLog): void {
    if (known.prunable > 0) this.parts.producers.trim(logId, known.prunable);
    if (known.fromStart) known.prunable = known.cleanEnd;
  }

  private async checkpointLogs(): Promise<boolean> {
    try {
      await this.parts.logs.checkpoint();
      return true;
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      this.parts.ambient.logger.warn("compaction_put_off", { reason: error.message });
      return false;
    }
  }

  private tell(logId: LogId, outcome: CleanOutcome): void {
    const hosted = this.parts.partitions.describe(logId);
    this.parts.ambient.logger.info("log_cleaned", {
      topic: hosted?.topic,
      partition: hosted?.partition,
      upTo: outcome.cleanEndOffset,
      bytesBefore: outcome.bytesBefore,
      bytesAfter: outcome.bytesAfter,
      recordsRemoved: outcome.recordsRemoved,
      durationMs: outcome.durationMs,
    });
  }

  private report(logId: LogId, error: unknown): void {
    if (!(error instanceof IoError)) throw error;
    const { logger } = this.parts.ambient;
    const hosted = this.parts.partitions.describe(logId);
    // Deleted or closed meanwhile: both have owners.
    if (hosted === undefined || error.code === "CLOSED") return;
    const where = { topic: hosted.topic, partition: hosted.partition, reason: error.message };
    if (error.code !== "CORRUPT") {
      logger.warn("log_clean_put_off", where);
      return;
    }
    const known = this.notes.of(logId);
    if (known !== null) known.broken = true;
    this.parts.counters.uncleanableLogs = this.notes.brokenCount;
    logger.error("log_uncleanable", {
      ...where,
      why: "a batch of it cannot be read; the log is not compacted, all others are",
      todo: "restore the partition from a copy, or delete records up to behind that offset",
    });
  }
}
