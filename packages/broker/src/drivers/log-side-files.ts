import type { LogId } from "@mantou/base";
import { offset } from "@mantou/base";
import type { LogState, LogStore } from "@mantou/io";
import { BATCH_HEADER_DOUBLES, BatchHeader, IoError } from "@mantou/io";
import type { EpochEntry, PartitionTable, ProducerStates } from "@mantou/replication";
import {
  LEADER_EPOCH_CHECKPOINT,
  decodeLeaderEpochCheckpoint,
  encodeLeaderEpochCheckpoint,
  epochsFromHeaders,
  producerSnapshotName,
  producerSnapshotOffset,
} from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import { readMarkers } from "../transactions/stored-markers.ts";

/** Producer states are written down this often, so that a crash replays at most so much. */
const SNAPSHOT_INTERVAL_MS = 60_000;
/** Snapshots kept per log: the newest may be ahead of what a crash leaves. */
const SNAPSHOTS_KEPT = 2;
/** Logs whose snapshots are written, or wait for a flush, at a time. */
const SNAPSHOTS_AT_A_TIME = 32;
/** Batch headers read by one call during replay. */
const HEADERS_PER_READ = 4096;
/** A flush takes milliseconds; a log that is not durable after two seconds waits for a later round. */
const DURABLE_WAIT_MS = 20;
const DURABLE_TRIES = 100;

export interface LogSideFilesParts {
  readonly ambient: Ambient;
  readonly logs: LogStore;
  readonly partitions: PartitionTable;
  readonly producers: ProducerStates;
  readonly openLogIds: () => readonly LogId[];
}

/**
 * The two small files beside a log: producer snapshots (`<offset>.snapshot`) and the history of
 * leader epochs (`leader-epoch-checkpoint`). Both only save work: what they lack is replayed from
 * the batch headers of the log, which are the truth.
 */
export class LogSideFiles {
  /** Where the newest snapshot of each log stands. */
  private readonly snapshotOffsets = new Map<LogId, number>();
  private cancel: (() => void) | null = null;
  private stopped = false;

  constructor(private readonly parts: LogSideFilesParts) {}

  start(): void {
    this.cancel = this.parts.ambient.timers.after(SNAPSHOT_INTERVAL_MS, () => {
      void this.round().finally(() => {
        if (!this.stopped) this.start();
      });
    });
  }

  /** Writes down everything that is not yet, so that the next start replays nothing. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.round();
  }

  /** Rebuilds the producer state of a log that was opened; gives its history of leader epochs. */
  async load(logId: LogId, state: LogState): Promise<EpochEntry[]> {
    const { logs, producers } = this.parts;
    producers.forget(logId);
    let epochs = await this.loadEpochs(logId, state);
    const from = await this.loadSnapshot(logId, state);
    const nowMs = this.parts.ambient.clock.wallMs();
    let next = from;
    while (next < state.endOffset) {
      // The first batch may begin below the log's start, where some of its records were deleted;
      // a snapshot stands between batches.
      const rows = await logs.readHeaders(logId, offset(next), HEADERS_PER_READ);
      if (rows.length === 0) break;
      const markers = await readMarkers(logs, logId, rows);
      producers.replay(logId, rows, nowMs, (at) => markers.get(at) ?? null);
      epochs = epochsFromHeaders(epochs, rows);
      const last = rows.length - BATCH_HEADER_DOUBLES;
      next =
        (rows[last + BatchHeader.baseOffset] as number) +
        (rows[last + BatchHeader.lastOffsetDelta] as number) +
        1;
    }
    producers.trim(logId, state.startOffset);
    return epochs;
  }

  forget(logId: LogId): void {
    this.snapshotOffsets.delete(logId);
    this.parts.producers.forget(logId);
  }

  /** Writes down the leader epochs of these logs. */
  epochsMoved(logIds: readonly LogId[]): void {
    for (const logId of logIds) {
      const bytes = encodeLeaderEpochCheckpoint(this.parts.partitions.epochEntries(logId));
      this.parts.logs
        .putFile(logId, LEADER_EPOCH_CHECKPOINT, bytes)
        .catch((error: unknown) => this.report(logId, error));
    }
  }

  /** Writes a snapshot for every log that has grown since its last one. */
  private async round(): Promise<void> {
    const { clock } = this.parts.ambient;
    this.parts.producers.expire(clock.wallMs());
    const logIds = this.parts.openLogIds().values();
    // They share the iterator: a log that waits for its flush holds up only its own row of them.
    const work = async (): Promise<void> => {
      for (const logId of logIds) {
        try {
          await this.snapshot(logId);
        } catch (error) {
          this.report(logId, error);
        }
      }
    };
    await Promise.all(Array.from({ length: SNAPSHOTS_AT_A_TIME }, work));
  }

  private async snapshot(logId: LogId): Promise<void> {
    const { logs, partitions, producers } = this.parts;
    if (!partitions.isOpen(logId) || partitions.isFailed(logId)) return;
    const end = partitions.logEndOffset(logId);
    if (end === (this.snapshotOffsets.get(logId) ?? 0)) return;
    // The state covers every batch that has an offset; it may be written down once all of them
    // are durable.
    const bytes = producers.encodeSnapshot(logId);
    if (!(await this.isDurable(logId, end))) return;
    await logs.putFile(logId, producerSnapshotName(end), bytes);
    this.snapshotOffsets.set(logId, end);
    const old = (await this.snapshots(logId)).slice(0, -SNAPSHOTS_KEPT);
    for (const { file } of old) await logs.removeFile(logId, file);
  }

  /** Waits, within bounds, until a log is durable up to `end`. */
  private async isDurable(logId: LogId, end: number): Promise<boolean> {
    const { ambient, partitions } = this.parts;
    for (let tries = 0; tries < DURABLE_TRIES; tries += 1) {
      if (!partitions.isOpen(logId) || partitions.isFailed(logId)) return false;
      if (partitions.durableEndOffset(logId) >= end) return true;
      await new Promise<void>((resolve) => {
        ambient.timers.after(DURABLE_WAIT_MS, resolve);
      });
    }
    return false;
  }

  /** Snapshot files of a log, oldest first. */
  private async snapshots(logId: LogId): Promise<{ file: string; at: number }[]> {
    const names = await this.parts.logs.listFiles(logId);
    return names
      .flatMap((file) => {
        const at = producerSnapshotOffset(file);
        return at === null ? [] : [{ file, at }];
      })
      .sort((a, b) => a.at - b.at);
  }

  /** Restores the newest usable snapshot; gives the offset from which batches must be replayed. */
  private async loadSnapshot(logId: LogId, state: LogState): Promise<number> {
    const { ambient, logs, producers } = this.parts;
    const found = await this.snapshots(logId);
    for (const { file, at } of found.toReversed()) {
      if (at > state.endOffset || at < state.startOffset) {
        // It speaks of batches that are not here (any more).
        await logs.removeFile(logId, file);
        continue;
      }
      const bytes = await logs.getFile(logId, file);
      const restored =
        bytes === null ? null : producers.restoreSnapshot(logId, bytes, ambient.clock.wallMs());
      if (restored?.ok === true) {
        this.snapshotOffsets.set(logId, at);
        return at;
      }
      ambient.logger.warn("producer_snapshot_unusable", { logId, file });
      await logs.removeFile(logId, file);
    }
    return state.startOffset;
  }

  private async loadEpochs(logId: LogId, state: LogState): Promise<EpochEntry[]> {
    const bytes = await this.parts.logs.getFile(logId, LEADER_EPOCH_CHECKPOINT);
    if (bytes === null) return [];
    const decoded = decodeLeaderEpochCheckpoint(bytes);
    if (decoded.ok) return decoded.value.filter((entry) => entry.startOffset < state.endOffset);
    this.parts.ambient.logger.warn("leader_epochs_unusable", { logId, reason: decoded.error });
    return [];
  }

  private report(logId: LogId, error: unknown): void {
    if (!(error instanceof IoError)) {
      this.parts.ambient.fatal("a file beside a log cannot be written", error);
      return;
    }
    // A log that was deleted meanwhile has no files.
    if (!this.parts.partitions.isOpen(logId)) return;
    this.parts.ambient.logger.warn("side_file_failed", { logId, reason: error.message });
  }
}
