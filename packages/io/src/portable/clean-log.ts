import { BatchAttribute, BatchField, BatchView, type Codecs } from "@mantou/protocol";
import type { Offset } from "@mantou/base";
import { CLEAN_ENTRY_BYTES, type CleanOutcome, type CleanRequest, IoError } from "../ports.ts";
import {
  BatchFilter,
  cursorOver,
  isAborted,
  keyOf,
  markerOf,
  orCorrupt,
  plainRecords,
} from "./clean-batch.ts";
import type { MemoryLog, Segment, StoredBatch } from "./memory-log.ts";

const OFFSETS_MAX = 0x7fff_ffff;

/** See `LogStore.clean`: the same run as log-core's cleaner, over a log in memory. */
export function cleanLog(
  log: MemoryLog,
  request: CleanRequest,
  segmentBytes: number,
  codecs: Codecs,
): CleanOutcome {
  const firstDirty = Math.max(request.firstDirtyOffset, log.startOffset);
  const sealedEnd = log.segments.at(-1)?.baseOffset ?? 0;
  const limit = Math.min(request.limit, sealedEnd);
  const { corruptFromOffset } = log;
  if (corruptFromOffset !== null && corruptFromOffset < limit) {
    throw new IoError("CORRUPT", `acknowledged bytes at offset ${corruptFromOffset} are damaged`);
  }
  if (limit <= firstDirty) return nothing(firstDirty);
  const { aborted, decidedEnd } = decide(log, firstDirty, limit);
  const { newest, end } = learnKeys(log, firstDirty, decidedEnd, aborted, request, codecs);
  const outcome = { ...nothing(end), keys: newest.size, isMapFull: end < decidedEnd };
  if (end <= firstDirty) return outcome;
  const filter = new BatchFilter(request, newest, aborted, end, codecs);
  const count = log.segments.findIndex((segment) => segment.baseOffset >= end);
  const cleaned: Segment[] = [];
  let bytesBefore = 0;
  for (const group of groupsOf(log, log.segments.slice(0, count), segmentBytes)) {
    bytesBefore += group.reduce((bytes, segment) => bytes + segment.bytes, 0);
    cleaned.push(rewriteGroup(group, filter));
  }
  log.segments = [...cleaned, ...log.segments.slice(count)];
  const bytesAfter = cleaned.reduce((bytes, segment) => bytes + segment.bytes, 0);
  return {
    ...outcome,
    readBytes: bytesBefore,
    writtenBytes: bytesAfter,
    bytesBefore,
    bytesAfter,
    recordsKept: filter.recordsKept,
    recordsRemoved: filter.recordsRemoved,
  };
}

const nothing = (end: number): CleanOutcome => ({
  cleanEndOffset: end as Offset,
  readBytes: 0,
  writtenBytes: 0,
  bytesBefore: 0,
  bytesAfter: 0,
  recordsKept: 0,
  recordsRemoved: 0,
  keys: 0,
  isMapFull: false,
  durationMs: 0,
});

type Ranges = Map<number, (readonly [number, number])[]>;

/** The aborted transactions with records in [from, end), and the end below which all is decided. */
function decide(
  log: MemoryLog,
  from: number,
  end: number,
): { readonly aborted: Ranges; readonly decidedEnd: number } {
  const aborted: Ranges = new Map();
  const open = new Map<number, number>();
  const header = new BatchView();
  for (const stored of log.batchesFrom(from)) {
    if (stored.baseOffset >= end && open.size === 0) break;
    const { attributes, producerId } = header.at(stored.view, 0);
    if ((attributes & BatchAttribute.TRANSACTIONAL) === 0) continue;
    if ((attributes & BatchAttribute.CONTROL) === 0) {
      if (stored.baseOffset < end && !open.has(producerId)) open.set(producerId, stored.baseOffset);
      continue;
    }
    const committed = markerOf(stored);
    const first = open.get(producerId);
    if (committed === null || first === undefined) continue;
    open.delete(producerId);
    if (committed) continue;
    const ranges = aborted.get(producerId) ?? [];
    ranges.push([first, stored.baseOffset]);
    aborted.set(producerId, ranges);
  }
  return { aborted, decidedEnd: Math.min(end, ...open.values()) };
}

/** The newest offset of each key in [from, to), as far as there is room. */
function learnKeys(
  log: MemoryLog,
  from: number,
  to: number,
  aborted: Ranges,
  request: CleanRequest,
  codecs: Codecs,
): { readonly newest: Map<string, number>; readonly end: number } {
  const newest = new Map<string, number>();
  const slots = Math.max(2, Math.floor(request.mapBytes / CLEAN_ENTRY_BYTES));
  const keysMax = Math.max(1, Math.floor(slots * 0.9));
  const header = new BatchView();
  for (const stored of log.batchesFrom(from)) {
    if (stored.baseOffset >= to) break;
    header.at(stored.view, 0);
    if ((header.attributes & BatchAttribute.CONTROL) !== 0) continue;
    if (header.recordsCount <= 0 || isAborted(aborted, header)) continue;
    const full = orCorrupt(stored, () => {
      const plain = plainRecords(stored, codecs, request.inflatedBytesMax);
      const cursor = cursorOver(stored, plain);
      while (cursor.next()) {
        const key = cursor.key();
        if (key === null || cursor.offset < from || cursor.offset >= to) continue;
        const text = keyOf(key);
        if (newest.size === keysMax && !newest.has(text)) return cursor.offset;
        newest.set(text, cursor.offset);
      }
      return -1;
    });
    if (full >= 0) return { newest, end: full };
  }
  return { newest, end: to };
}

function groupsOf(log: MemoryLog, segments: Segment[], bytesMax: number): Segment[][] {
  const groups: Segment[][] = [];
  let group: Segment[] = [];
  let bytes = 0;
  for (const [index, segment] of segments.entries()) {
    const end = segments[index + 1]?.baseOffset ?? log.endOffset;
    const spans = end - 1 - (group[0]?.baseOffset ?? segment.baseOffset) > OFFSETS_MAX;
    if (group.length > 0 && (bytes + segment.bytes > bytesMax || spans)) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(segment);
    bytes += segment.bytes;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function rewriteGroup(group: readonly Segment[], filter: BatchFilter): Segment {
  const first = group[0] as Segment;
  const last = group.findLast((segment) => segment.batches.length > 0)?.batches.at(-1);
  const cleaned: Segment = {
    baseOffset: first.baseOffset,
    batches: [],
    positions: [],
    bytes: 0,
    largestTimestamp: -1,
    firstTimestamp: first.firstTimestamp,
    writtenMs: Math.max(...group.map((segment) => segment.writtenMs)),
  };
  for (const stored of group.flatMap((segment) => segment.batches)) {
    const bytes = filter.judge(stored, stored === last);
    if (bytes !== null) put(cleaned, bytes === stored.bytes ? stored : storedOf(stored, bytes));
  }
  return cleaned;
}

function put(segment: Segment, stored: StoredBatch): void {
  segment.positions.push(segment.bytes);
  segment.batches.push(stored);
  segment.bytes += stored.bytes.length;
  const hasRecords = stored.view.getInt32(BatchField.recordsCount) > 0;
  if (hasRecords)
    segment.largestTimestamp = Math.max(segment.largestTimestamp, stored.maxTimestamp);
}

function storedOf(stored: StoredBatch, bytes: Uint8Array): StoredBatch {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const maxTimestamp = new BatchView().at(view, 0).maxTimestamp;
  return { ...stored, maxTimestamp, bytes, view };
}
