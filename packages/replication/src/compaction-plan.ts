/** What a log's compaction is judged by. Times in milliseconds, sizes in bytes. */
export interface CompactionInput {
  /** Oldest first; the last one is written to. `largestTimestamp` is -1 where there is none. */
  readonly segments: readonly {
    readonly baseOffset: number;
    readonly bytes: number;
    readonly largestTimestamp: number;
  }[];
  readonly logStartOffset: number;
  /** Records at and above it may still be aborted, or taken back. */
  readonly lastStableOffset: number;
  /** What was cleaned before, as it was written down; null: never. */
  readonly cleanEndOffset: number | null;
  /** Timestamp of the first batch that is not clean; null where it was not looked up. */
  readonly firstDirtyTimestamp: number | null;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly nowMs: number;
}

export interface CompactionPlan {
  readonly firstDirtyOffset: number;
  /** First offset that must not be touched. */
  readonly limit: number;
  /** Of what may be looked at, the share in bytes that is not clean yet: 0 to 1. */
  readonly dirtyRatio: number;
  /** A record is older than `max.compaction.lag.ms` allows. */
  readonly isOverdue: boolean;
}

/**
 * What of a log can be compacted, and how much it is needed (KIP-58, KIP-354): never the segment
 * that is written to, nothing at or above the last stable offset, nothing too young.
 */
export function planCompaction(input: CompactionInput): CompactionPlan {
  const { segments, logStartOffset, nowMs } = input;
  const active = segments.at(-1);
  const activeBase = active?.baseOffset ?? 0;
  const noted = input.cleanEndOffset ?? logStartOffset;
  // Noted of another log of that name, or of records that are no longer there.
  const isUsable = noted >= logStartOffset && noted <= activeBase;
  const firstDirtyOffset = isUsable ? noted : logStartOffset;
  let limit = Math.min(input.lastStableOffset, activeBase);
  let cleanBytes = 0;
  let dirtyBytes = 0;
  for (const [index, segment] of segments.slice(0, -1).entries()) {
    const end = segments[index + 1]?.baseOffset ?? activeBase;
    if (end <= firstDirtyOffset) {
      cleanBytes += segment.bytes;
      continue;
    }
    const isYoung = segment.largestTimestamp > nowMs - input.minCompactionLagMs;
    if (input.minCompactionLagMs > 0 && isYoung) limit = Math.min(limit, segment.baseOffset);
    if (segment.baseOffset >= limit) break;
    dirtyBytes += segment.bytes;
  }
  const total = cleanBytes + dirtyBytes;
  const { firstDirtyTimestamp, maxCompactionLagMs } = input;
  const oldestMs = nowMs - maxCompactionLagMs;
  return {
    firstDirtyOffset,
    limit,
    dirtyRatio: limit <= firstDirtyOffset || total === 0 ? 0 : dirtyBytes / total,
    isOverdue:
      limit > firstDirtyOffset && firstDirtyTimestamp !== null && firstDirtyTimestamp < oldestMs,
  };
}
