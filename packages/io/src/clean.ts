import type { Millis, Offset } from "@mantou/base";

/** One run of compaction over one log. Sizes in bytes, times in milliseconds. */
export interface CleanRequest {
  /** Everything below was cleaned before: its keys are each there once. */
  readonly firstDirtyOffset: Offset;
  /**
   * First offset that must not be touched: at most the last stable offset. What is newer than the
   * last recovery points (see `checkpoint`) and the segment that is written to are never touched.
   */
  readonly limit: Offset;
  readonly nowMs: Millis;
  /** How long a record without value, or a marker without records, stays once it was cleaned. */
  readonly deleteRetentionMs: number;
  /** Memory for the newest offset of each key, CLEAN_ENTRY_BYTES for one at nine tenths. */
  readonly mapBytes: number;
  /** Bytes to which one batch may inflate; beyond it the log is left as it is. */
  readonly inflatedBytesMax: number;
  /** Bytes read and written in a second. Infinity: no limit. */
  readonly bytesPerSecondMax: number;
  /**
   * Rows of CLEAN_PRODUCER_DOUBLES: id, epoch and last offset (-1: only a marker is known) of each
   * producer that the partition remembers. The batch with its last record stays, empty if need be.
   */
  readonly producers: readonly number[];
}
export const CLEAN_PRODUCER_DOUBLES = 3;
export const CLEAN_ENTRY_BYTES = 24;

export interface CleanOutcome {
  /** Everything below is clean now: the next `firstDirtyOffset`. */
  readonly cleanEndOffset: Offset;
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Bytes of the segments that were looked at, before and after. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly recordsKept: number;
  readonly recordsRemoved: number;
  /** Keys that were met above `firstDirtyOffset`. */
  readonly keys: number;
  /** The memory was used up: there is more to clean below the limit. */
  readonly isMapFull: boolean;
  readonly durationMs: number;
}
