import { assert } from "@mantou/base";

/** One line of a partition's history: this leader epoch's records begin at this offset. */
export interface EpochEntry {
  readonly epoch: number;
  readonly startOffset: number;
}

/** The largest known epoch not above the one asked for, and where it ends; (-1, -1): unknown. */
export interface EpochEnd {
  readonly epoch: number;
  readonly endOffset: number;
}

const NONE = -1;
const UNKNOWN_END: EpochEnd = { epoch: -1, endOffset: -1 };

/**
 * Which leader epoch wrote which offsets, for many partitions (KIP-101). Entries of all partitions
 * share three columns and are linked from the newest to the oldest, since nearly every question
 * is about the newest one. Epochs and start offsets both rise along a partition's entries.
 */
export class LeaderEpochs {
  private heads = new Int32Array(64).fill(NONE);
  private epochs = new Int32Array(64);
  private starts = new Float64Array(64);
  /** The entry before in the same partition, or the next free one. */
  private olders = new Int32Array(64);
  private used = 0;
  private free = NONE;

  /** The newest epoch, or -1. */
  latest(slot: number): number {
    const head = this.head(slot);
    return head === NONE ? -1 : (this.epochs[head] as number);
  }

  /**
   * The records from `startOffset` on are of `epoch`. Entries that begin there or later vanish:
   * they described records that do not exist any more or never did.
   * Returns false when the history already says so.
   */
  assign(slot: number, epoch: number, startOffset: number): boolean {
    assert(epoch >= 0 && startOffset >= 0, "leader epochs and their offsets are not negative");
    const latest = this.latest(slot);
    if (latest === epoch) return false;
    assert(latest < epoch, `leader epoch ${epoch} follows ${latest}`);
    this.dropWhile(slot, (entry) => (this.starts[entry] as number) >= startOffset);
    this.push(slot, epoch, startOffset);
    return true;
  }

  /** Where `epoch` ends in this log, whose newest epoch ends at `logEnd`. */
  endOffsetFor(slot: number, epoch: number, logEnd: number): EpochEnd {
    let entry = this.head(slot);
    if (epoch < 0 || entry === NONE || epoch > (this.epochs[entry] as number)) return UNKNOWN_END;
    let end = logEnd;
    while (entry !== NONE && (this.epochs[entry] as number) > epoch) {
      end = this.starts[entry] as number;
      entry = this.olders[entry] as number;
    }
    // Older than the history: it ended where the history begins.
    return { epoch: entry === NONE ? epoch : (this.epochs[entry] as number), endOffset: end };
  }

  /** The epoch that wrote `offset`, or -1 where the history does not reach. */
  at(slot: number, offset: number): number {
    let entry = this.head(slot);
    while (entry !== NONE && (this.starts[entry] as number) > offset) {
      entry = this.olders[entry] as number;
    }
    return entry === NONE ? -1 : (this.epochs[entry] as number);
  }

  /** Records at and above `end` are gone. Returns whether the history changed. */
  truncateEnd(slot: number, end: number): boolean {
    return this.dropWhile(slot, (entry) => (this.starts[entry] as number) >= end);
  }

  /** Records below `start` are gone: the epoch that covers `start` begins there now. */
  truncateStart(slot: number, start: number): boolean {
    let entry = this.head(slot);
    while (entry !== NONE && (this.starts[entry] as number) > start) {
      entry = this.olders[entry] as number;
    }
    if (entry === NONE) return false;
    const moved = (this.starts[entry] as number) < start || this.olders[entry] !== NONE;
    this.starts[entry] = start;
    let older = this.olders[entry] as number;
    this.olders[entry] = NONE;
    while (older !== NONE) older = this.release(older);
    return moved;
  }

  /** Oldest first. */
  entries(slot: number): EpochEntry[] {
    const entries: EpochEntry[] = [];
    for (let at = this.head(slot); at !== NONE; at = this.olders[at] as number) {
      const epoch = this.epochs[at] as number;
      entries.push({ epoch, startOffset: this.starts[at] as number });
    }
    return entries.toReversed();
  }

  /** Replaces the history. Entries are oldest first; what does not rise is left out. */
  restore(slot: number, entries: readonly EpochEntry[]): void {
    this.clear(slot);
    for (const { epoch, startOffset } of entries) {
      if (epoch > this.latest(slot)) this.assign(slot, epoch, startOffset);
    }
  }

  clear(slot: number): void {
    this.dropWhile(slot, () => true);
  }

  private head(slot: number): number {
    return slot < this.heads.length ? (this.heads[slot] as number) : NONE;
  }

  private push(slot: number, epoch: number, startOffset: number): void {
    if (slot >= this.heads.length) {
      const grown = new Int32Array(Math.max(this.heads.length * 2, slot + 1)).fill(NONE);
      grown.set(this.heads);
      this.heads = grown;
    }
    let entry = this.free;
    if (entry === NONE) {
      if (this.used === this.epochs.length) this.growEntries();
      entry = this.used++;
    } else {
      this.free = this.olders[entry] as number;
    }
    this.epochs[entry] = epoch;
    this.starts[entry] = startOffset;
    this.olders[entry] = this.head(slot);
    this.heads[slot] = entry;
  }

  /** Drops newest entries as long as they match. */
  private dropWhile(slot: number, matches: (entry: number) => boolean): boolean {
    let head = this.head(slot);
    if (head === NONE || !matches(head)) return false;
    while (head !== NONE && matches(head)) head = this.release(head);
    this.heads[slot] = head;
    return true;
  }

  /** Gives an entry back; returns the one before it. */
  private release(entry: number): number {
    const older = this.olders[entry] as number;
    this.olders[entry] = this.free;
    this.free = entry;
    return older;
  }

  private growEntries(): void {
    const capacity = this.epochs.length * 2;
    const epochs = new Int32Array(capacity);
    const starts = new Float64Array(capacity);
    const olders = new Int32Array(capacity);
    epochs.set(this.epochs);
    starts.set(this.starts);
    olders.set(this.olders);
    this.epochs = epochs;
    this.starts = starts;
    this.olders = olders;
  }
}
