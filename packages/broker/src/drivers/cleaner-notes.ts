import type { LogId } from "@mantou/base";
import { IoError } from "@mantou/io";
import type { LogStore } from "@mantou/io";
import {
  CLEANER_CHECKPOINT,
  decodeCleanerCheckpoint,
  encodeCleanerCheckpoint,
} from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { Partitions } from "./partitions.ts";

/** What is known of one log between rounds. */
export interface KnownLog {
  /** Everything below is clean. */
  cleanEnd: number;
  /** It was cleaned from its very start in this run of the broker. */
  fromStart: boolean;
  /** What aborted transactions left below it is gone since an earlier round. */
  prunable: number;
  /** It cannot be read: not tried again before the broker starts anew. */
  broken: boolean;
}

/** Up to where compacted logs are clean: in memory, and in `cleaner-offset-checkpoint`. */
export class CleanNotes {
  /** Of compacted logs that were looked at. A topic that is made anew has another log. */
  private readonly known = new Map<LogId, KnownLog>();
  /** As it was found at start, by topic and partition. */
  private found: ReadonlyMap<string, number> | null = null;
  private written = "";

  constructor(
    private readonly ambient: Ambient,
    private readonly logs: LogStore,
    private readonly partitions: Pick<Partitions, "describe">,
  ) {}

  /** Logs that cannot be read. */
  get brokenCount(): number {
    let broken = 0;
    for (const known of this.known.values()) if (known.broken) broken += 1;
    return broken;
  }

  /** What is known of a log; null where it has left this broker. */
  of(logId: LogId): KnownLog | null {
    const hosted = this.partitions.describe(logId);
    if (hosted === undefined) return null;
    let known = this.known.get(logId);
    if (known === undefined) {
      const cleanEnd = this.found?.get(keyOf(hosted.topic, hosted.partition)) ?? 0;
      known = { cleanEnd, fromStart: false, prunable: 0, broken: false };
      this.known.set(logId, known);
    }
    return known;
  }

  /** Logs that have left this broker. */
  forgetGone(): void {
    for (const logId of this.known.keys()) {
      if (this.partitions.describe(logId) === undefined) this.known.delete(logId);
    }
  }

  /** Reads the file, once. */
  async load(): Promise<void> {
    this.found ??= await this.read();
  }

  private async read(): Promise<ReadonlyMap<string, number>> {
    let bytes: Uint8Array | null;
    try {
      bytes = await this.logs.getFile(null, CLEANER_CHECKPOINT);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      this.ambient.logger.warn("cleaner_checkpoint_unusable", { reason: error.message });
      return new Map();
    }
    if (bytes === null) return new Map();
    const decoded = decodeCleanerCheckpoint(bytes);
    if (decoded.ok) {
      return new Map(
        decoded.value.map((entry) => [keyOf(entry.topic, entry.partition), entry.offset]),
      );
    }
    this.ambient.logger.warn("cleaner_checkpoint_unusable", { reason: decoded.error });
    return new Map();
  }

  async write(): Promise<void> {
    const entries = [];
    for (const [logId, { cleanEnd }] of this.known) {
      const hosted = this.partitions.describe(logId);
      if (hosted === undefined || cleanEnd === 0) continue;
      const { topic, partition } = hosted;
      entries.push({ topic, partition, offset: cleanEnd });
    }
    const bytes = encodeCleanerCheckpoint(entries);
    const text = new TextDecoder().decode(bytes);
    if (text === this.written) return;
    try {
      await this.logs.putFile(null, CLEANER_CHECKPOINT, bytes);
      this.written = text;
    } catch (error) {
      // It only saves work: what it lacks is cleaned again.
      if (!(error instanceof IoError)) throw error;
      this.ambient.logger.warn("cleaner_checkpoint_failed", { reason: error.message });
    }
  }
}

const keyOf = (topic: string, partition: number): string => `${topic} ${partition}`;
