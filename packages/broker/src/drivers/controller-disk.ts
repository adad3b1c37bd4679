import { type LogId, type Uuid, assert, offset } from "@mantou/base";
import { METADATA_TOPIC } from "@mantou/catalog";
import type { Io, LogConfig, LogState } from "@mantou/io";
import { APPEND_WORDS, Append, IoError, Table } from "@mantou/io";
import type { Persist, SnapshotMeta } from "raft-ts";
import type { Ambient } from "../ambient.ts";
import type { QuorumStateOwner } from "./controller-quorum-state.ts";
import { QUORUM_STATE, encodeQuorumState } from "./controller-quorum-state.ts";
import {
  checkpointName,
  encodeCheckpoint,
  encodeProposal,
  parseCheckpointName,
  proposalsOf,
} from "./controller-records.ts";

/** Kafka's fixed id of the metadata topic (Uuid.METADATA_TOPIC_ID). */
export const METADATA_TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ" as Uuid;

/** Small segments, since a snapshot lets go of whole ones. Never rolled by time. */
const LOG_CONFIG: LogConfig = {
  segmentBytes: 16 * 1024 * 1024,
  segmentMs: Number.MAX_SAFE_INTEGER,
  segmentJitterMs: 0,
  segmentIndexBytes: 1024 * 1024,
  indexIntervalBytes: 4096,
  fileDeleteDelayMs: 60_000,
  preallocate: false,
  durability: "fsync",
};

const ROWS_MAX = 256;
/** How long to wait for room when the arena is full of frames. */
const ARENA_RETRY_MS = 5;

export interface ControllerDiskParts {
  readonly io: Io;
  readonly ambient: Ambient;
  readonly logId: LogId;
  readonly owner: QuorumStateOwner;
  /** The leader as far as known, for the file that people read. */
  readonly leader: () => number | null;
  /** These writes are on disk, oldest first. */
  readonly completed: (writes: readonly Persist[]) => void;
  /** The disk cannot be trusted any more. */
  readonly failed: (reason: string, error: unknown) => void;
}

interface Write {
  readonly persist: Persist;
  /** A leader's snapshot that is to replace the log, as a checkpoint's bytes. */
  readonly checkpoint: Uint8Array | null;
  prepared: boolean;
}

/**
 * Carries out the machine's writes in their order. Appends are pipelined: the next is handed to the
 * engine while the one before is on its way to the disk. A write that does more than append waits
 * until everything before it is durable, so that DURABLE offsets never speak of two histories.
 */
export class ControllerDisk {
  /** Fsynced end of the log: its last index. */
  durableEnd = 0;
  /** What the store holds, in offsets. Behind a snapshot that was installed the end lags. */
  private logStart = 0;
  private logEnd = 0;
  private readonly table = new Table(APPEND_WORDS, ROWS_MAX);
  private queue: Write[] = [];
  private issued: { readonly persist: Persist; readonly end: number }[] = [];
  private preparing: Promise<void> | null = null;
  private retryAt: (() => void) | null = null;
  private stopped = false;

  constructor(private readonly parts: ControllerDiskParts) {}

  /** Opens the log, recovered. Rejects with IoError CORRUPT where acknowledged bytes are bad. */
  async openLog(): Promise<LogState> {
    const { io, logId } = this.parts;
    const [state] = await io.logs.openLogs([
      {
        logId,
        topic: METADATA_TOPIC,
        topicId: METADATA_TOPIC_ID,
        partition: 0,
        config: LOG_CONFIG,
      },
    ]);
    assert(state !== undefined, "one log was opened");
    if (state.corruptFromOffset !== null) {
      throw new IoError(
        "CORRUPT",
        `${METADATA_TOPIC}-0 is damaged from offset ${state.corruptFromOffset}: ` +
          "restore the directory from a copy, or let this node join as a new one",
      );
    }
    this.durableEnd = state.endOffset;
    this.noteLog(state);
    return state;
  }

  submit(persist: Persist, checkpoint: Uint8Array | null): void {
    this.queue.push({ persist, checkpoint, prepared: !needsPreparation(persist) });
    this.advance();
  }

  /** The engine says: everything below `end` is fsynced. */
  onDurable(end: number): void {
    // Late news of what was truncated since cannot come: a truncation waits for all before it.
    this.durableEnd = Math.max(this.durableEnd, end);
    this.logEnd = Math.max(this.logEnd, end);
    this.settle();
    this.advance();
  }

  /** No more writes. Resolves when the step under way has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.retryAt?.();
    await this.preparing;
  }

  /** Bytes of the checkpoint, or null when it is gone. */
  readCheckpoint(meta: SnapshotMeta): Promise<Uint8Array | null> {
    return this.parts.io.logs.getFile(this.parts.logId, checkpointName(meta));
  }

  async saveCheckpoint(meta: SnapshotMeta, state: Uint8Array): Promise<void> {
    const { io, logId, ambient } = this.parts;
    const { membership } = meta;
    const bytes = encodeCheckpoint({ membership, state }, ambient.clock.wallMs());
    await io.logs.putFile(logId, checkpointName(meta), bytes);
  }

  /** Lets go of entries up to `index`, and of every checkpoint before `kept`. */
  async release(index: number, kept: SnapshotMeta): Promise<void> {
    const { io, logId } = this.parts;
    if (index > this.logStart && index <= this.logEnd) {
      this.noteLog(await io.logs.trim(logId, offset(index)));
    }
    for (const name of await io.logs.listFiles(logId)) {
      const at = parseCheckpointName(name);
      if (at !== null && at.index < kept.index) await io.logs.removeFile(logId, name);
    }
  }

  private advance(): void {
    while (!this.stopped && this.preparing === null) {
      const write = this.queue[0];
      if (write === undefined) return;
      if (!write.prepared) {
        if (this.issued.length === 0) this.preparing = this.prepare(write);
        return;
      }
      const end = this.append(write.persist);
      if (end === null) return;
      this.queue.shift();
      this.issued.push({ persist: write.persist, end });
      this.settle();
    }
  }

  /** Everything but the append: hard state, snapshot, truncation, in this order. */
  private async prepare(write: Write): Promise<void> {
    try {
      await this.carryOut(write);
      write.prepared = true;
      this.preparing = null;
      this.advance();
    } catch (error) {
      this.stopped = true;
      this.parts.failed("the metadata log cannot be written", error);
    }
  }

  private async carryOut({ persist, checkpoint }: Write): Promise<void> {
    const { io, logId, owner } = this.parts;
    if (persist.hardState !== null) {
      const bytes = encodeQuorumState(persist.hardState, this.parts.leader(), owner);
      await io.logs.putFile(logId, QUORUM_STATE, bytes);
    }
    if (persist.snapshot !== null) await this.resetTo(persist.snapshot, checkpoint);
    if (persist.truncateFrom !== null) {
      const end = persist.truncateFrom - 1;
      this.noteLog(await io.logs.truncate(logId, offset(end)));
      this.durableEnd = end;
    }
  }

  /**
   * The log becomes empty, and what comes next follows the snapshot: its offsets leave a gap, which
   * a log may have. The gap is trimmed with the next snapshot.
   */
  private async resetTo(snapshot: SnapshotMeta, checkpoint: Uint8Array | null): Promise<void> {
    const { io, logId } = this.parts;
    if (checkpoint !== null) await io.logs.putFile(logId, checkpointName(snapshot), checkpoint);
    this.noteLog(await io.logs.truncate(logId, offset(this.logStart)));
    assert(this.logEnd <= snapshot.index, "nothing is left behind the snapshot");
    this.durableEnd = snapshot.index;
  }

  private noteLog(state: LogState): void {
    this.logStart = state.startOffset;
    this.logEnd = state.endOffset;
  }

  /** Hands the entries to the engine. Null: the arena has no room now, a retry is armed. */
  private append(persist: Persist): number | null {
    const { io, logId, ambient } = this.parts;
    const wallMs = ambient.clock.wallMs();
    const batches = proposalsOf(persist.entries).map((entries) => ({
      first: entries[0]?.index ?? 0,
      term: entries[0]?.term ?? 0,
      bytes: encodeProposal(entries, wallMs),
    }));
    if (batches.length === 0) return 0;
    const run = io.arena.allocate(batches.reduce((sum, { bytes }) => sum + bytes.length, 0));
    if (run === -1) {
      this.retryLater();
      return null;
    }
    let at = run;
    for (let from = 0; from < batches.length; from += ROWS_MAX) {
      const chunk = batches.slice(from, from + ROWS_MAX);
      for (const [row, { first, term, bytes }] of chunk.entries()) {
        io.arena.bytes.set(bytes, at);
        this.table.setWord(row, Append.logId, logId);
        this.table.setWord(row, Append.offset, at);
        this.table.setWord(row, Append.length, bytes.length);
        this.table.setWord(row, Append.flags, 0);
        this.table.setDouble(row, Append.baseOffsetF64, first - 1);
        this.table.setWord(row, Append.leaderEpoch, term);
        at += bytes.length;
      }
      io.logs.append(this.table, chunk.length, wallMs);
    }
    io.arena.release(run);
    return persist.entries.at(-1)?.index ?? 0;
  }

  private retryLater(): void {
    if (this.retryAt !== null) return;
    this.retryAt = this.parts.ambient.timers.after(ARENA_RETRY_MS, () => {
      this.retryAt = null;
      this.advance();
    });
  }

  private settle(): void {
    const open = this.issued.findIndex(({ end }) => end > this.durableEnd);
    const done = this.issued.splice(0, open === -1 ? this.issued.length : open);
    if (done.length > 0) this.parts.completed(done.map(({ persist }) => persist));
  }
}

const needsPreparation = (persist: Persist): boolean =>
  persist.hardState !== null || persist.snapshot !== null || persist.truncateFrom !== null;
