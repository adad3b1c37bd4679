export interface NetworkStats {
  readonly connections: number;
  readonly acceptedTotal: number;
  readonly refusedTotal: number;
  readonly receivedBytesTotal: number;
  readonly sentBytesTotal: number;
  /** Times that a connection was not read because the arena had no room. */
  readonly memoryWaitsTotal: number;
  readonly arenaBytesUsed: number;
  readonly arenaBytesTotal: number;
}

/**
 * Counts by powers of two: `counts[0]` of zeros, `counts[i]` of values from 2^(i-1) up to, and
 * not with, 2^i; the last of HISTOGRAM_BUCKETS takes the rest.
 */
export interface Log2Histogram {
  readonly counts: readonly number[];
  readonly sum: number;
}
export const HISTOGRAM_BUCKETS = 32;

export interface CleanerStats {
  readonly runsTotal: number;
  /** Runs that ended with an error. */
  readonly failuresTotal: number;
  readonly readBytesTotal: number;
  readonly writtenBytesTotal: number;
  readonly lastRunMs: number;
  readonly lastMapBytes: number;
}

export interface StoreStats {
  readonly appendedBytesTotal: number;
  readonly groupsTotal: number;
  readonly flushesTotal: number;
  readonly filesOpen: number;
  readonly freeBytes: number;
  /** Size of the volume. */
  readonly totalBytes: number;
  /** Microseconds from `append` until a pass of batches is in the page cache, by its oldest. */
  readonly appendMicros: Log2Histogram;
  /** Microseconds from the start of a group's flush until all of it is durable. */
  readonly flushMicros: Log2Histogram;
  readonly groupBatches: Log2Histogram;
  readonly groupBytes: Log2Histogram;
  readonly locatesTotal: number;
  /** Ranges that were not in the page cache: a disk thread was asked. */
  readonly pageCacheMissesTotal: number;
  readonly cleaner: CleanerStats;
}
