import { BatchField, getInt64 } from "@mantou/protocol";
import { LocateCode, LocateFlag } from "../layout.ts";
import { BATCH_HEADER_DOUBLES, type LogConfig, type SegmentInfo } from "../ports.ts";

/** One batch as it stands in a segment, offset and epoch patched. Never changed afterwards. */
export interface StoredBatch {
  readonly baseOffset: number;
  /** One above the last offset. */
  readonly endOffset: number;
  readonly maxTimestamp: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** A segment file. `positions[i]` is where `batches[i]` begins. */
export interface Segment {
  readonly baseOffset: number;
  batches: StoredBatch[];
  positions: number[];
  bytes: number;
  largestTimestamp: number;
  firstTimestamp: number;
  /** Wall clock of the last write: stands in for a timestamp where no record has one. */
  writtenMs: number;
}

/** Where a locate row ended up. */
export interface Located {
  code: number;
  position: number;
  length: number;
  batches: StoredBatch[];
}

/** Largest distance between a segment's base offset and an offset in it (Kafka's index format). */
const RELATIVE_OFFSET_MAX = 0x7fff_ffff;
const INDEX_ENTRY_BYTES = 8;

/** The data of one log: what the disk would hold. No queues, no events. */
export class MemoryLog {
  segments: Segment[] = [];
  startOffset = 0;
  endOffset = 0;
  /** Everything below has been flushed: a crash keeps it. */
  syncedOffset = 0;
  corruptFromOffset: number | null = null;
  /** Bytes that the last crash left half written. */
  tornBytes = 0;
  readonly files = new Map<string, Uint8Array>();

  constructor(
    readonly topic: string,
    readonly topicId: string,
    readonly partition: number,
  ) {}

  get bytes(): number {
    let total = 0;
    for (const segment of this.segments) total += segment.bytes;
    return total;
  }

  get largestTimestamp(): number {
    let largest = -1;
    for (const segment of this.segments) {
      if (segment.largestTimestamp > largest) largest = segment.largestTimestamp;
    }
    return largest;
  }

  /** Adds a batch whose header already holds its final offsets. */
  append(bytes: Uint8Array, config: LogConfig, nowMs: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const baseOffset = getInt64(view, BatchField.baseOffset);
    const batch: StoredBatch = {
      baseOffset,
      endOffset: baseOffset + view.getInt32(BatchField.lastOffsetDelta) + 1,
      maxTimestamp: getInt64(view, BatchField.maxTimestamp),
      bytes,
      view,
    };
    let segment = this.segments.at(-1);
    if (segment === undefined || mustRoll(segment, batch, config))
      segment = this.addSegment(baseOffset);
    if (segment.batches.length === 0) segment.firstTimestamp = batch.maxTimestamp;
    segment.positions.push(segment.bytes);
    segment.batches.push(batch);
    segment.bytes += bytes.length;
    segment.largestTimestamp = Math.max(segment.largestTimestamp, batch.maxTimestamp);
    segment.writtenMs = nowMs;
    this.endOffset = batch.endOffset;
  }

  /** Answers one locate row; `corruptFromOffset` and the log's bounds are respected. */
  locate(from: number, limit: number, bytesMax: number, flags: number): Located {
    const none: Located = { code: LocateCode.OK, position: 0, length: 0, batches: [] };
    if (from < this.startOffset || from > this.endOffset) {
      return { ...none, code: LocateCode.OUT_OF_RANGE };
    }
    if (from >= limit || from === this.endOffset) return none;
    if (this.corruptFromOffset !== null && from >= this.corruptFromOffset) {
      return { ...none, code: LocateCode.CORRUPT };
    }
    const end = Math.min(limit, this.corruptFromOffset ?? limit);
    const segment = this.segmentAt(from);
    if (segment === null) return none;
    const first = firstBatchEndingAbove(segment.batches, from);
    let last = first;
    let length = 0;
    for (; last < segment.batches.length; last++) {
      const batch = segment.batches[last] as StoredBatch;
      if (batch.endOffset > end) break;
      const isFree = last === first && (flags & LocateFlag.AT_LEAST_ONE_BATCH) !== 0;
      if (!isFree && length + batch.bytes.length > bytesMax) break;
      length += batch.bytes.length;
    }
    if (length === 0) return none;
    const position = segment.positions[first] as number;
    return { code: LocateCode.OK, position, length, batches: segment.batches.slice(first, last) };
  }

  /** Batches from the one that contains `from` (or the next one, across a gap), in order. */
  *batchesFrom(from: number): Generator<StoredBatch> {
    for (const segment of this.segments) {
      let index = firstBatchEndingAbove(segment.batches, from);
      for (; index < segment.batches.length; index++) yield segment.batches[index] as StoredBatch;
    }
  }

  readHeaders(from: number, rowsMax: number): Float64Array {
    const rows: number[] = [];
    for (const { view, baseOffset, maxTimestamp } of this.batchesFrom(from)) {
      if (rows.length >= rowsMax * BATCH_HEADER_DOUBLES) break;
      rows.push(
        baseOffset,
        view.getInt32(BatchField.lastOffsetDelta),
        maxTimestamp,
        getInt64(view, BatchField.producerId),
        view.getInt16(BatchField.producerEpoch),
        view.getInt32(BatchField.baseSequence),
        view.getInt16(BatchField.attributes),
        view.getInt32(BatchField.partitionLeaderEpoch),
      );
    }
    return Float64Array.from(rows);
  }

  read(from: number, bytesMax: number): Uint8Array {
    const batches: Uint8Array[] = [];
    let length = 0;
    for (const { bytes } of this.batchesFrom(from)) {
      if (batches.length > 0 && length + bytes.length > bytesMax) break;
      batches.push(bytes);
      length += bytes.length;
    }
    const copy = new Uint8Array(length);
    let at = 0;
    for (const bytes of batches) {
      copy.set(bytes, at);
      at += bytes.length;
    }
    return copy;
  }

  /**
   * Drops whole batches that reach to or above `end`. A batch that straddles it goes as well, and
   * the log then ends where that batch began. Nothing is left of a log that is cut at its start.
   */
  truncate(end: number): void {
    if (end >= this.endOffset) return;
    if (end <= this.startOffset) {
      this.restart(end);
      return;
    }
    while ((this.segments.at(-1)?.baseOffset ?? -1) >= end) this.segments.pop();
    const segment = this.segments.at(-1);
    this.endOffset = segment === undefined ? end : Math.min(end, cutSegment(segment, end) ?? end);
    this.syncedOffset = Math.min(this.syncedOffset, this.endOffset);
    if (this.corruptFromOffset !== null && this.corruptFromOffset >= end) {
      this.corruptFromOffset = null;
    }
  }

  /** Moves the start up to an offset that the log has, or to its end. */
  trim(start: number): void {
    this.startOffset = Math.max(this.startOffset, start);
    while (
      this.segments.length > 1 &&
      (this.segments[1] as Segment).baseOffset <= this.startOffset
    ) {
      this.segments.shift();
    }
  }

  private restart(base: number): void {
    this.segments = [];
    this.addSegment(base);
    this.startOffset = base;
    this.endOffset = base;
    this.syncedOffset = base;
    this.corruptFromOffset = null;
  }

  roll(): void {
    const last = this.segments.at(-1);
    if (last !== undefined && last.batches.length > 0) this.addSegment(this.endOffset);
  }

  /** See `LogStore.retain`. */
  retain(retentionMs: number, retentionBytes: number, limit: number, nowMs: number): void {
    const byTime = retentionMs >= 0 && retentionMs !== Infinity;
    const bySize = retentionBytes >= 0 && retentionBytes !== Infinity;
    let excess = bySize ? this.bytes - retentionBytes : 0;
    for (;;) {
      const segment = this.segments[0];
      if (segment === undefined || segment.batches.length === 0) break;
      const end = this.segments[1]?.baseOffset ?? this.endOffset;
      const stamp = segment.largestTimestamp >= 0 ? segment.largestTimestamp : segment.writtenMs;
      const expired = byTime && nowMs - stamp > retentionMs;
      if (end > limit || !(expired || (bySize && excess >= segment.bytes))) break;
      excess -= segment.bytes;
      if (this.segments.length === 1) this.roll();
      this.segments.shift();
      this.startOffset = Math.max(this.startOffset, end);
    }
  }

  segmentInfos(): SegmentInfo[] {
    return this.segments.map(({ baseOffset, bytes, largestTimestamp }) => ({
      baseOffset: baseOffset as SegmentInfo["baseOffset"],
      bytes,
      largestTimestamp,
    }));
  }

  private addSegment(baseOffset: number): Segment {
    const segment: Segment = {
      baseOffset,
      batches: [],
      positions: [],
      bytes: 0,
      largestTimestamp: -1,
      firstTimestamp: -1,
      writtenMs: 0,
    };
    this.segments.push(segment);
    return segment;
  }

  /** The segment that holds the first batch which ends above `offset`. */
  private segmentAt(offset: number): Segment | null {
    for (let index = this.segments.length - 1; index >= 0; index--) {
      const segment = this.segments[index] as Segment;
      if (segment.baseOffset > offset) continue;
      const last = segment.batches.at(-1);
      if (last !== undefined && last.endOffset > offset) return segment;
      return this.segments[index + 1] ?? null;
    }
    return this.segments[0] ?? null;
  }
}

function mustRoll(segment: Segment, batch: StoredBatch, config: LogConfig): boolean {
  if (segment.batches.length === 0) return false;
  if (segment.bytes + batch.bytes.length > config.segmentBytes) return true;
  if (batch.endOffset - 1 - segment.baseOffset > RELATIVE_OFFSET_MAX) return true;
  const first = segment.firstTimestamp;
  const ageMaxMs = config.segmentMs - config.segmentJitterMs;
  if (first >= 0 && batch.maxTimestamp - first > ageMaxMs) return true;
  const entries = segment.bytes / Math.max(1, config.indexIntervalBytes);
  return entries * INDEX_ENTRY_BYTES >= config.segmentIndexBytes;
}

/** Cuts a segment at the first batch that reaches `end`; gives that batch's offset, if any. */
function cutSegment(segment: Segment, end: number): number | null {
  const keep = firstBatchEndingAbove(segment.batches, end);
  const cut = segment.batches[keep]?.baseOffset ?? null;
  segment.batches = segment.batches.slice(0, keep);
  segment.bytes = segment.positions[keep] ?? segment.bytes;
  segment.positions = segment.positions.slice(0, keep);
  segment.largestTimestamp = -1;
  for (const { maxTimestamp } of segment.batches) {
    segment.largestTimestamp = Math.max(segment.largestTimestamp, maxTimestamp);
  }
  return cut;
}

/** Index of the first batch whose end is above `offset`, by bisection. */
function firstBatchEndingAbove(batches: readonly StoredBatch[], offset: number): number {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((batches[middle] as StoredBatch).endOffset > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
