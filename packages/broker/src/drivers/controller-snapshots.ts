import type { SnapshotMeta } from "raft-ts";
import type { Ambient } from "../ambient.ts";
import type { ControllerDisk } from "./controller-disk.ts";
import { checkpointName } from "./controller-records.ts";

export interface SnapshotSettings {
  /** A snapshot is taken when so many bytes were applied since the last, */
  readonly snapshotBytes: number;
  /** or, with the next entry, when the last is so old. */
  readonly snapshotIntervalMs: number;
  /** Entries kept behind a snapshot, so that a follower that is a little late needs no snapshot. */
  readonly entriesKept: number;
}

export interface ControllerSnapshotsParts {
  readonly ambient: Ambient;
  readonly disk: ControllerDisk;
  readonly settings: SnapshotSettings;
  /** The name of a snapshot of what is applied now; null when there is nothing to take. */
  readonly describe: () => SnapshotMeta | null;
  readonly snapshot: () => Uint8Array;
  /**
   * The snapshot is on disk and the log up to `compactTo` may go. Returns what went, or null when
   * a leader's newer snapshot was installed meanwhile.
   */
  readonly saved: (snapshot: SnapshotMeta, compactTo: number) => number | null;
  readonly failed: (reason: string, error: unknown) => void;
}

/** Takes snapshots when it is time, one at a time, and lets go of what they replace. */
export class ControllerSnapshots {
  private appliedBytes = 0;
  private takenAtMs: number;
  private isSaving = false;

  constructor(private readonly parts: ControllerSnapshotsParts) {
    this.takenAtMs = parts.ambient.clock.monotonicMs();
  }

  applied(bytes: number): void {
    this.appliedBytes += bytes;
  }

  /** Called when entries were applied. */
  consider(): void {
    const { snapshotBytes, snapshotIntervalMs } = this.parts.settings;
    const ageMs = this.parts.ambient.clock.monotonicMs() - this.takenAtMs;
    if (this.appliedBytes < snapshotBytes && ageMs < snapshotIntervalMs) return;
    const meta = this.isSaving ? null : this.parts.describe();
    if (meta === null) return;
    this.isSaving = true;
    this.restart();
    void this.save(meta, this.parts.snapshot());
  }

  /** A leader's snapshot has taken the place of everything before it. */
  installed(snapshot: SnapshotMeta): void {
    this.restart();
    this.log("controller.snapshot-installed", snapshot);
    void this.release(snapshot.index, snapshot);
  }

  private restart(): void {
    this.appliedBytes = 0;
    this.takenAtMs = this.parts.ambient.clock.monotonicMs();
  }

  private async save(meta: SnapshotMeta, state: Uint8Array): Promise<void> {
    const { disk, settings } = this.parts;
    try {
      await disk.saveCheckpoint(meta, state);
      this.log("controller.snapshot-saved", meta, state.length);
      const gone = this.parts.saved(meta, Math.max(0, meta.index - settings.entriesKept));
      if (gone !== null) await this.release(gone, meta);
    } catch (error) {
      this.parts.failed("a snapshot of the metadata cannot be written", error);
    } finally {
      this.isSaving = false;
    }
  }

  /** Space comes back; nothing depends on it, so trouble is told and tried again next time. */
  private async release(index: number, kept: SnapshotMeta): Promise<void> {
    try {
      await this.parts.disk.release(index, kept);
    } catch (error) {
      this.parts.ambient.logger.warn("controller.release-failed", { error: String(error) });
    }
  }

  private log(event: string, meta: SnapshotMeta, bytes?: number): void {
    const name = checkpointName(meta);
    this.parts.ambient.logger.info(event, bytes === undefined ? { name } : { name, bytes });
  }
}
