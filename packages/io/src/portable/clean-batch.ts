import {
  BATCH_HEADER_BYTES,
  BatchAttribute,
  BatchField,
  BatchView,
  type Codecs,
  CompressionType,
  ControlType,
  LOG_OVERHEAD_BYTES,
  RecordCursor,
  RecordsError,
  codecFor,
  controlType,
  getInt64,
  putInt64,
  putVarint,
  varintSize,
} from "@mantou/protocol";
import { CLEAN_PRODUCER_DOUBLES, type CleanRequest, IoError } from "../ports.ts";
import { sealCrc } from "./batch.ts";
import type { StoredBatch } from "./memory-log.ts";

/** By producer, ranges from an aborted transaction's first record to its marker. */
export type AbortedRanges = ReadonlyMap<number, readonly (readonly [number, number])[]>;

/** What becomes of a batch: itself, another one, or null where nothing is left. */
export type Judged = Uint8Array | null;

const NO_BASE_TIMESTAMP = -1;

/** Inflates the records of a batch. Throws IoError CORRUPT where that cannot be done. */
export function plainRecords(stored: StoredBatch, codecs: Codecs, bytesMax: number): Uint8Array {
  const codec = stored.view.getInt16(BatchField.attributes) & BatchAttribute.CODEC_MASK;
  const payload = stored.bytes.subarray(BATCH_HEADER_BYTES);
  if (codec === CompressionType.NONE || payload.length === 0) return payload;
  return orCorrupt(stored, () => codecFor(codecs, codec).decompress(payload, bytesMax));
}

/** A cursor over inflated records of a batch. */
export function cursorOver(stored: StoredBatch, plain: Uint8Array): RecordCursor {
  return new RecordCursor().at(plain, 0, plain.length, {
    baseOffset: stored.baseOffset,
    baseTimestamp: getInt64(stored.view, BatchField.baseTimestamp),
    appendTimestamp: null,
    recordsCount: stored.view.getInt32(BatchField.recordsCount),
  });
}

/** Runs what reads records; what they do not hold up to is damage. */
export function orCorrupt<T>(stored: StoredBatch, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof RecordsError)) throw error;
    const what = `the batch at offset ${stored.baseOffset} cannot be cleaned: ${error.message}`;
    throw new IoError("CORRUPT", what);
  }
}

/** Whether a control batch commits (true) or aborts (false); null: it is no marker. */
export function markerOf(stored: StoredBatch): boolean | null {
  const plain = stored.bytes.subarray(BATCH_HEADER_BYTES);
  return orCorrupt(stored, () => {
    const cursor = cursorOver(stored, plain);
    if (!cursor.next()) return null;
    const type = controlType(cursor.key());
    if (type === ControlType.COMMIT) return true;
    return type === ControlType.ABORT ? false : null;
  });
}

/** Whether a transactional batch was aborted. */
export function isAborted(aborted: AbortedRanges, header: BatchView): boolean {
  if ((header.attributes & BatchAttribute.TRANSACTIONAL) === 0) return false;
  const ranges = aborted.get(header.producerId) ?? [];
  const { baseOffset } = header;
  return ranges.some(([first, marker]) => first <= baseOffset && baseOffset < marker);
}

export const keyOf = (key: Uint8Array): string => Buffer.from(key).toString("latin1");

/** The same rules as log-core's `filter.rs`, in the same order. */
export class BatchFilter {
  recordsKept = 0;
  recordsRemoved = 0;
  private readonly header = new BatchView();
  private readonly withRecords = new Set<number>();
  private readonly producers = new Map<number, readonly [epoch: number, lastOffset: number]>();

  constructor(
    private readonly request: CleanRequest,
    private readonly newest: ReadonlyMap<string, number>,
    private readonly aborted: AbortedRanges,
    private readonly end: number,
    private readonly codecs: Codecs,
  ) {
    const { producers } = request;
    for (let at = 0; at < producers.length; at += CLEAN_PRODUCER_DOUBLES) {
      const [id, epoch, lastOffset] = producers.slice(at, at + CLEAN_PRODUCER_DOUBLES);
      this.producers.set(id as number, [epoch as number, lastOffset as number]);
    }
  }

  /** @param mustStay a header is needed even where no record is left. */
  judge(stored: StoredBatch, mustStay: boolean): Judged {
    if (stored.baseOffset >= this.end) return stored.bytes;
    const header = this.header.at(stored.view, 0);
    if ((header.attributes & BatchAttribute.CONTROL) !== 0)
      return this.judgeMarker(stored, mustStay);
    const { producerId } = header;
    if ((header.attributes & BatchAttribute.TRANSACTIONAL) !== 0) this.withRecords.add(producerId);
    const stays = mustStay || this.producers.get(producerId)?.[1] === stored.endOffset - 1;
    if (header.recordsCount <= 0) return stays ? stored.bytes : null;
    if (isAborted(this.aborted, header) && stored.endOffset <= this.end) {
      this.recordsRemoved += header.recordsCount;
      return stays ? withoutRecords(stored) : null;
    }
    return orCorrupt(stored, () => this.judgeRecords(stored, stays));
  }

  private judgeMarker(stored: StoredBatch, mustStay: boolean): Judged {
    if (markerOf(stored) === null || stored.endOffset > this.end) return stored.bytes;
    const { header } = this;
    const hadRecords = this.withRecords.delete(header.producerId);
    const [epoch, lastOffset] = this.producers.get(header.producerId) ?? [-1, 0];
    const isOnlyWord = lastOffset < 0 && epoch === header.producerEpoch;
    if (hadRecords || mustStay || isOnlyWord) return stored.bytes;
    if ((header.attributes & BatchAttribute.DELETE_HORIZON) !== 0) {
      return this.hasPassed(header.baseTimestamp) ? null : stored.bytes;
    }
    const plain = stored.bytes.subarray(BATCH_HEADER_BYTES);
    const cursor = cursorOver(stored, plain);
    cursor.next();
    const record = rebased(plain, 0, plain.length, header.baseTimestamp, this.horizon);
    return rewritten(stored, record, 1, header.maxTimestamp, this.horizon);
  }

  private judgeRecords(stored: StoredBatch, mustStay: boolean): Judged {
    const { header } = this;
    const plain = plainRecords(stored, this.codecs, this.request.inflatedBytesMax);
    const kept: [from: number, to: number][] = [];
    let hasTombstone = false;
    let maxTimestamp = -1;
    let at = 0;
    const cursor = cursorOver(stored, plain);
    while (cursor.next()) {
      const to = recordEnd(plain, at);
      if (this.stays(stored, cursor)) {
        kept.push([at, to]);
        hasTombstone ||= cursor.valueLength < 0;
        maxTimestamp = Math.max(maxTimestamp, cursor.timestamp);
      }
      at = to;
    }
    this.recordsKept += kept.length;
    this.recordsRemoved += header.recordsCount - kept.length;
    if (kept.length === 0) return mustStay ? withoutRecords(stored) : null;
    const hasHorizon = (header.attributes & BatchAttribute.DELETE_HORIZON) !== 0;
    const wantsHorizon = hasTombstone && !hasHorizon && stored.endOffset <= this.end;
    if (kept.length === header.recordsCount && !wantsHorizon) return stored.bytes;
    const base = header.baseTimestamp;
    const parts = kept.map(([from, to]) =>
      wantsHorizon ? rebased(plain, from, to, base, this.horizon) : plain.subarray(from, to),
    );
    const records = new Uint8Array(Buffer.concat(parts));
    const { codec } = header;
    const payload =
      codec === CompressionType.NONE ? records : codecFor(this.codecs, codec).compress(records);
    const largest = header.isLogAppendTime ? header.maxTimestamp : maxTimestamp;
    return rewritten(stored, payload, kept.length, largest, wantsHorizon ? this.horizon : null);
  }

  private stays(stored: StoredBatch, record: RecordCursor): boolean {
    if (record.offset >= this.end) return true;
    const key = record.key();
    if (key === null) return false;
    if ((this.newest.get(keyOf(key)) ?? -1) > record.offset) return false;
    const { header } = this;
    return (
      record.valueLength >= 0 ||
      (header.attributes & BatchAttribute.DELETE_HORIZON) === 0 ||
      stored.endOffset > this.end ||
      !this.hasPassed(header.baseTimestamp)
    );
  }

  private get horizon(): number {
    const { nowMs, deleteRetentionMs } = this.request;
    return Math.min(nowMs + deleteRetentionMs, Number.MAX_SAFE_INTEGER);
  }

  private hasPassed(horizon: number): boolean {
    return horizon <= this.request.nowMs;
  }
}

/** Where the record at `at` ends; the cursor has parsed it. */
function recordEnd(plain: Uint8Array, at: number): number {
  let raw = 0;
  let position = at;
  for (let scale = 1; ; scale *= 128) {
    const byte = plain[position++] as number;
    raw += (byte & 0x7f) * scale;
    if (byte < 0x80) return position + raw / 2;
  }
}

/** A record whose timestamp counts from `base` and shall count from `horizon`. */
function rebased(
  plain: Uint8Array,
  from: number,
  to: number,
  base: number,
  horizon: number,
): Uint8Array {
  let at = from;
  while ((plain[at++] as number) >= 0x80);
  const attributes = plain[at] as number;
  const deltaAt = at + 1;
  const delta = signedAt(plain, deltaAt);
  let restAt = deltaAt;
  while ((plain[restAt++] as number) >= 0x80);
  const next = base + delta - horizon;
  const length = 1 + varintSize(next) + (to - restAt);
  const record = new Uint8Array(varintSize(length) + length);
  let out = putVarint(record, 0, length);
  record[out++] = attributes;
  out = putVarint(record, out, next);
  record.set(plain.subarray(restAt, to), out);
  return record;
}

function signedAt(bytes: Uint8Array, at: number): number {
  let raw = 0;
  for (let scale = 1, position = at; ; scale *= 128) {
    const byte = bytes[position++] as number;
    raw += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
}

function rewritten(
  stored: StoredBatch,
  payload: Uint8Array,
  count: number,
  maxTimestamp: number,
  horizon: number | null,
): Uint8Array {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + payload.length);
  bytes.set(stored.bytes.subarray(0, BATCH_HEADER_BYTES));
  bytes.set(payload, BATCH_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(BatchField.batchLength, bytes.length - LOG_OVERHEAD_BYTES);
  view.setInt32(BatchField.recordsCount, count);
  putInt64(view, BatchField.maxTimestamp, maxTimestamp);
  if (horizon !== null) {
    const attributes = view.getInt16(BatchField.attributes) | BatchAttribute.DELETE_HORIZON;
    view.setInt16(BatchField.attributes, attributes);
    putInt64(view, BatchField.baseTimestamp, horizon);
  }
  sealCrc(bytes, view, 0, bytes.length);
  return bytes;
}

function withoutRecords(stored: StoredBatch): Uint8Array {
  const none = new Uint8Array(0);
  const maxTimestamp = getInt64(stored.view, BatchField.maxTimestamp);
  const bytes = rewritten(stored, none, 0, maxTimestamp, null);
  const view = new DataView(bytes.buffer);
  const { CODEC_MASK, DELETE_HORIZON } = BatchAttribute;
  const attributes = view.getInt16(BatchField.attributes) & ~(CODEC_MASK | DELETE_HORIZON);
  view.setInt16(BatchField.attributes, attributes);
  putInt64(view, BatchField.baseTimestamp, NO_BASE_TIMESTAMP);
  sealCrc(bytes, view, 0, bytes.length);
  return bytes;
}
