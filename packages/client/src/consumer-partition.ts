import {
  type Codecs,
  controlType,
  ControlType,
  decodeBatches,
  type DecodedBatch,
  type RecordHeader,
} from "@mantou/protocol";
import type { OffsetSpec } from "./list-offsets.ts";

/** A record as it comes out of a partition. */
export interface ConsumedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch; -1: none. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  /** Epoch of the leader that appended it; -1 where it is not known. */
  readonly leaderEpoch: number;
}

/** Where to read a partition from: an offset, a place, or the first record since a time. */
export type StartSpec = number | OffsetSpec;

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface DecodeSettings {
  readonly codecs: Codecs;
  readonly checkCrc: boolean;
  readonly inflatedBytesMax: number;
}

/** One assigned partition: where reading is, and what has been fetched ahead. */
export class ConsumerPartition {
  /** null: `start` has to be looked up first. */
  position: number | null;
  /** -1 until a fetch has told. */
  highWatermark = -1;
  lastStableOffset = -1;
  logStartOffset = -1;
  isBusy = false;
  failures = 0;
  notBeforeMs = 0;
  /** Changes with every seek, so that what was fetched for an older place is dropped. */
  generation = 0;
  private fetched: ConsumedRecord[] = [];
  private takenAt = 0;

  constructor(
    readonly topic: string,
    readonly partition: number,
    public start: StartSpec,
  ) {
    this.position = typeof start === "number" ? start : null;
  }

  seek(start: StartSpec): void {
    this.start = start;
    this.position = typeof start === "number" ? start : null;
    this.generation += 1;
    this.fetched = [];
    this.takenAt = 0;
    this.notBeforeMs = 0;
  }

  get buffered(): number {
    return this.fetched.length - this.takenAt;
  }

  /** The offset of the next record that `take` gives, or null when that has to be looked up. */
  get nextOffset(): number | null {
    return this.fetched[this.takenAt]?.offset ?? this.position;
  }

  /** Moves up to `countMax` fetched records to `out`. */
  take(countMax: number, out: ConsumedRecord[]): void {
    const end = Math.min(this.fetched.length, this.takenAt + countMax);
    for (; this.takenAt < end; this.takenAt += 1) {
      out.push(this.fetched[this.takenAt] as ConsumedRecord);
    }
    if (this.takenAt < this.fetched.length) return;
    this.fetched = [];
    this.takenAt = 0;
  }

  /**
   * Takes fetched bytes in and moves on behind them. Gives false where they hold no whole batch.
   * @param aborted transactions whose records are left out (read_committed), or null.
   * Throws RecordsError where the bytes are damaged.
   */
  receive(
    bytes: Uint8Array,
    aborted: readonly AbortedTransaction[] | null,
    settings: DecodeSettings,
  ): boolean {
    const batches = decodeBatches(bytes, settings);
    const from = this.position ?? 0;
    const isAborted = abortedFilter(aborted);
    for (const batch of batches) {
      const leftOut = isAborted(batch);
      if (!leftOut && !batch.isControl) this.keep(batch, from);
      this.position = Math.max(from, batch.lastOffset + 1);
    }
    return batches.length > 0;
  }

  private keep(batch: DecodedBatch, from: number): void {
    const { topic, partition } = this;
    const leaderEpoch = batch.partitionLeaderEpoch;
    for (const record of batch.records) {
      if (record.offset < from) continue;
      this.fetched.push({ topic, partition, ...record, leaderEpoch });
    }
  }
}

/** Tells for each batch, in offset order, whether its transaction was aborted. */
function abortedFilter(
  aborted: readonly AbortedTransaction[] | null,
): (batch: DecodedBatch) => boolean {
  if (aborted === null || aborted.length === 0) return () => false;
  const coming = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const open = new Set<number>();
  return (batch) => {
    while (coming.length > 0 && (coming[0]?.firstOffset ?? 0) <= batch.lastOffset) {
      open.add(coming.shift()?.producerId ?? -1);
    }
    if (batch.isControl) {
      const [record] = batch.records;
      const isAbort = record !== undefined && controlType(record.key) === ControlType.ABORT;
      if (isAbort) open.delete(batch.producerId);
      return true;
    }
    return batch.isTransactional && open.has(batch.producerId);
  };
}
