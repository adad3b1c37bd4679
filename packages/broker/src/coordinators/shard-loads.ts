import type { LogId } from "@mantou/base";
import { AssertionError } from "@mantou/base";
import type { LogStore } from "@mantou/io";
import type { PartitionTable } from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { Loaded, Replaying } from "./shard-loader.ts";
import { loadShard } from "./shard-loader.ts";
import type { SlotState } from "./shard-slot.ts";

/** Shards that are read from disk at a time. */
const LOADS_MAX = 4;
/** Pause before a shard is tried again; doubled up to the maximum while it cannot be loaded. */
const RELOAD_MS = 1000;
const RELOAD_MS_MAX = 60_000;

interface LoadedSlot {
  readonly partition: number;
  readonly logId: LogId;
  readonly state: SlotState;
}

export interface ShardLoadsParts<Slot, Shard> {
  readonly ambient: Ambient;
  readonly logs: LogStore;
  readonly partitions: PartitionTable;
  readonly topic: string;
  readonly newShard: (slot: Slot) => Shard;
  readonly loaded: (slot: Slot, shard: Shard) => void;
  readonly failed: (slot: Slot) => void;
}

/** Reads shards from their logs, a few at a time, and later those that could not be read. */
export class ShardLoads<Slot extends LoadedSlot, Shard extends Replaying> {
  private queue: Slot[] = [];
  /** Shards whose log has records that are not committed. */
  private uncommitted: Slot[] = [];
  private running = 0;
  /** What was read since the last line was logged. */
  private round = { shards: 0, records: 0, bytes: 0, startMs: 0 };
  private readonly retries = new Set<() => void>();
  /** By partition, of those that could not be loaded. */
  private readonly pauses = new Map<number, number>();
  private stopped = false;

  constructor(private readonly parts: ShardLoadsParts<Slot, Shard>) {}

  add(slot: Slot): void {
    // What is not committed yet may still be lost: nobody may be told of it.
    if (this.isCommitted(slot)) this.queue.push(slot);
    else this.uncommitted.push(slot);
    this.next();
  }

  /** The high watermark of a log has moved: shards that wait for it are loaded. */
  committed(): void {
    if (this.uncommitted.length === 0) return;
    const ready = this.uncommitted.filter((slot) => this.isCommitted(slot));
    this.uncommitted = this.uncommitted.filter(
      (slot) => slot.state === "loading" && !ready.includes(slot),
    );
    this.queue.push(...ready);
    this.next();
  }

  /** Calls once, when the partition is to be tried again, unless this is stopped before. */
  later(partition: number, call: () => void): void {
    const pauseMs = this.pauses.get(partition) ?? RELOAD_MS;
    this.pauses.set(partition, Math.min(pauseMs * 2, RELOAD_MS_MAX));
    const cancel = this.parts.ambient.timers.after(pauseMs, () => {
      this.retries.delete(cancel);
      if (!this.stopped) call();
    });
    this.retries.add(cancel);
  }

  stop(): void {
    this.stopped = true;
    for (const cancel of this.retries) cancel();
    this.retries.clear();
    this.queue = [];
    this.uncommitted = [];
  }

  /** A log that is not here any more counts: whoever loads it finds out. */
  private isCommitted({ logId }: Slot): boolean {
    const { partitions } = this.parts;
    if (!partitions.isOpen(logId)) return true;
    return partitions.highWatermark(logId) === partitions.logEndOffset(logId);
  }

  private next(): void {
    while (this.running < LOADS_MAX) {
      const slot = this.queue.shift();
      if (slot === undefined) return;
      if (slot.state !== "loading") continue;
      if (this.running === 0 && this.round.shards === 0) {
        this.round.startMs = this.parts.ambient.clock.monotonicMs();
      }
      this.running += 1;
      this.load(slot).then(
        () => {
          this.running -= 1;
          this.next();
          if (this.running === 0) this.logRound();
        },
        (error: unknown) => this.parts.ambient.fatal("a coordinator cannot be loaded", error),
      );
    }
  }

  private async load(slot: Slot): Promise<void> {
    const { ambient, topic } = this.parts;
    const isWanted = (): boolean => slot.state === "loading" && !this.stopped;
    try {
      const shard = this.parts.newShard(slot);
      const loaded = await loadShard({ ...this.parts, isWanted }, slot.logId, shard);
      if (!isWanted()) return;
      if (loaded.skipped > 0) this.logSkipped(slot, loaded);
      this.pauses.delete(slot.partition);
      this.parts.loaded(slot, shard);
      this.round.shards += 1;
      this.round.records += loaded.records;
      this.round.bytes += loaded.bytes;
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      if (!isWanted()) return;
      const reason = error instanceof Error ? error.message : String(error);
      const { partition } = slot;
      ambient.logger.error("coordinator_load_failed", { topic, partition, reason });
      this.parts.failed(slot);
    }
  }

  private logSkipped({ partition }: Slot, { skipped, why }: Loaded): void {
    const { ambient, topic } = this.parts;
    ambient.logger.error("coordinator_records_skipped", { topic, partition, skipped, why });
  }

  /** One line for all that was loaded in one go: a start loads every partition. */
  private logRound(): void {
    const { ambient, topic } = this.parts;
    const { startMs, ...read } = this.round;
    if (read.shards === 0) return;
    this.round = { shards: 0, records: 0, bytes: 0, startMs: 0 };
    const tookMs = Math.round(ambient.clock.monotonicMs() - startMs);
    ambient.logger.info("coordinators_loaded", { topic, ...read, tookMs });
  }
}
