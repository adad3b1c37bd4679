import { assert } from "@mantou/base";
import { ENTRY_OVERHEAD_BYTES } from "./options.ts";
import type { Entry } from "./types.ts";

/** What an entry counts for in every bound on bytes. */
export const entryBytes = (entry: Entry): number => entry.data.length + ENTRY_OVERHEAD_BYTES;

/**
 * The part of the log that is held in memory: entries behind a base that snapshots have replaced.
 * It knows nothing of commit or disks.
 */
export class RaftLog {
  private baseIndex: number;
  private baseTerm: number;
  private entries: Entry[] = [];

  /** @param baseIndex the last entry that is not held; its term must be known. */
  constructor(baseIndex: number, baseTerm: number) {
    this.baseIndex = baseIndex;
    this.baseTerm = baseTerm;
  }

  /** The first entry held, or where it would be. */
  get firstIndex(): number {
    return this.baseIndex + 1;
  }

  get lastIndex(): number {
    return this.baseIndex + this.entries.length;
  }

  get lastTerm(): number {
    return this.entries.at(-1)?.term ?? this.baseTerm;
  }

  /** The term at an index, or null below the base and above the end. */
  termAt(index: number): number | null {
    if (index === this.baseIndex) return this.baseTerm;
    return this.entries[index - this.baseIndex - 1]?.term ?? null;
  }

  entryAt(index: number): Entry | null {
    return this.entries[index - this.baseIndex - 1] ?? null;
  }

  /** Whether this log holds exactly this entry (Raft section 5.3, log matching). */
  matches(index: number, term: number): boolean {
    return this.termAt(index) === term;
  }

  /** Whether a log that ends so may be voted for: section 5.4.1. */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    if (lastTerm !== this.lastTerm) return lastTerm > this.lastTerm;
    return lastIndex >= this.lastIndex;
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, "the log has no gaps");
      assert(entry.term >= this.lastTerm, "terms do not fall along the log");
      this.entries.push(entry);
    }
  }

  /** Drops every entry at and above `index`. */
  truncateFrom(index: number): void {
    assert(index > this.baseIndex && index <= this.lastIndex, "only held entries are dropped");
    this.entries.length = index - this.baseIndex - 1;
  }

  /** Entries from `from` to `to`, both included. */
  slice(from: number, to: number): Entry[] {
    assert(from > this.baseIndex, "the range is held");
    return this.entries.slice(from - this.baseIndex - 1, to - this.baseIndex);
  }

  /** Whole proposals from `from` on: at least one if there is any, then while they fit. */
  sliceBytes(from: number, bytesMax: number): Entry[] {
    const first = from - this.baseIndex - 1;
    assert(first >= 0, "the range is held");
    let end = first;
    let bytes = 0;
    for (let at = first; at < this.entries.length; at += 1) {
      const entry = this.entries[at] as Entry;
      bytes += entryBytes(entry);
      if (bytes > bytesMax && end > first) break;
      if (!entry.continues) end = at + 1;
    }
    return this.entries.slice(first, end);
  }

  /**
   * The largest index at or below `index` whose term is at most `term`. Two logs cannot match
   * between it and `index`, so a search for the common prefix goes on from there.
   */
  lastIndexNotAbove(index: number, term: number): number {
    let at = Math.min(index, this.lastIndex);
    while (at > this.baseIndex && (this.termAt(at) as number) > term) at -= 1;
    return at;
  }

  /** Lets go of everything up to and including `index`. */
  compactTo(index: number): void {
    const term = this.termAt(index);
    assert(term !== null, "compaction stays within the log");
    this.entries.splice(0, index - this.baseIndex);
    this.baseIndex = index;
    this.baseTerm = term;
  }

  /** Forgets all; a snapshot stands in its place. */
  reset(baseIndex: number, baseTerm: number): void {
    this.entries = [];
    this.baseIndex = baseIndex;
    this.baseTerm = baseTerm;
  }
}
