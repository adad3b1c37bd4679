import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { codecs } from "@mantou/client";
import {
  BATCH_HEADER_BYTES,
  BatchFault,
  batchFault,
  BatchView,
  compressionName,
  type DecodedRecord,
  decodeBatches,
  LOG_OVERHEAD_BYTES,
} from "@mantou/protocol";

/** A batch larger than this is taken for damage. */
const BATCH_BYTES_MAX = 256 * 1024 * 1024;

/** One batch of a segment file. */
export interface InspectedBatch {
  readonly position: number;
  readonly bytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly records: number;
  readonly codec: string;
  readonly leaderEpoch: number;
  readonly producerId: number;
  readonly baseSequence: number;
  readonly maxTimestamp: number;
  readonly flags: readonly string[];
  readonly faults: readonly string[];
  readonly content: readonly DecodedRecord[];
}

export interface InspectedTail {
  /** Bytes of whole batches. */
  readonly validBytes: number;
  readonly fileBytes: number;
  /** What lies behind them; null: nothing. */
  readonly tail: string | null;
}

/**
 * Walks a segment file batch by batch, so that its size does not matter. Stops where a length makes
 * no sense: what follows cannot be found.
 * @param withRecords decode the records as well.
 */
export function* inspectLog(
  path: string,
  withRecords: boolean,
): Generator<InspectedBatch, InspectedTail> {
  const file = openSync(path, "r");
  try {
    const fileBytes = fstatSync(file).size;
    let position = 0;
    let nextOffset = -1;
    const head = new Uint8Array(LOG_OVERHEAD_BYTES);
    while (position < fileBytes) {
      const left = fileBytes - position;
      if (left < LOG_OVERHEAD_BYTES) return cut(position, fileBytes, "a cut-off header");
      readFully(file, head, position);
      if (head.every((byte) => byte === 0)) {
        return cut(position, fileBytes, tailOfZeros(file, position, fileBytes));
      }
      const size = new DataView(head.buffer).getInt32(8) + LOG_OVERHEAD_BYTES;
      if (size < BATCH_HEADER_BYTES || size > BATCH_BYTES_MAX) {
        return cut(position, fileBytes, `a batch with the impossible size ${size}`);
      }
      if (size > left) return cut(position, fileBytes, `a batch of ${size} bytes that is cut off`);
      const bytes = new Uint8Array(size);
      readFully(file, bytes, position);
      const batch = inspectBatch(bytes, position, nextOffset, withRecords);
      yield batch;
      nextOffset = batch.lastOffset + 1;
      position += size;
    }
    return cut(position, fileBytes, null);
  } finally {
    closeSync(file);
  }
}

const cut = (validBytes: number, fileBytes: number, tail: string | null): InspectedTail => ({
  validBytes,
  fileBytes,
  tail,
});

function inspectBatch(
  bytes: Uint8Array,
  position: number,
  nextOffset: number,
  withRecords: boolean,
): InspectedBatch {
  const view = new DataView(bytes.buffer);
  const batch = new BatchView().at(view, 0);
  const faults: string[] = [];
  const fault = batchFault(bytes, view, 0, bytes.length);
  if (fault !== BatchFault.NONE) faults.push(faultText(batch, fault));
  if (batch.baseOffset < nextOffset) {
    faults.push(`base offset ${batch.baseOffset} is below ${nextOffset}`);
  }
  let content: readonly DecodedRecord[] = [];
  if (withRecords && fault === BatchFault.NONE) {
    try {
      content = decodeBatches(bytes, { codecs })[0]?.records ?? [];
    } catch (error) {
      faults.push(`records cannot be read: ${(error as Error).message}`);
    }
  }
  return {
    position,
    bytes: bytes.length,
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    records: batch.recordsCount,
    codec: compressionName(batch.codec),
    leaderEpoch: batch.partitionLeaderEpoch,
    producerId: batch.producerId,
    baseSequence: batch.baseSequence,
    maxTimestamp: batch.maxTimestamp,
    flags: flagsOf(batch),
    faults,
    content,
  };
}

function faultText(batch: BatchView, fault: BatchFault): string {
  if (fault === BatchFault.MAGIC) return `magic ${batch.magic}`;
  return fault === BatchFault.CRC ? "the CRC does not fit" : "the header does not fit its length";
}

function flagsOf(batch: BatchView): string[] {
  const flags: string[] = [];
  if (batch.isTransactional) flags.push("transactional");
  if (batch.isControl) flags.push("control");
  if (batch.isLogAppendTime) flags.push("append-time");
  if (batch.hasDeleteHorizon) flags.push("delete-horizon");
  return flags;
}

function readFully(file: number, bytes: Uint8Array, position: number): void {
  let filled = 0;
  while (filled < bytes.length) {
    const count = readSync(file, bytes, filled, bytes.length - filled, position + filled);
    if (count === 0) throw new Error(`the file became shorter at byte ${position + filled}`);
    filled += count;
  }
}

const CHUNK_BYTES = 1024 * 1024;

/** Space that was written ahead is all zeros; anything else behind zeros is damage. */
function tailOfZeros(file: number, from: number, to: number): string | null {
  for (let at = from; at < to; at += CHUNK_BYTES) {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, to - at));
    readFully(file, chunk, at);
    const found = chunk.findIndex((byte) => byte !== 0);
    if (found >= 0) return `zeros, and then data at byte ${at + found}`;
  }
  return null;
}

/** What an index says, against what the log has. */
export interface InspectedIndex {
  readonly file: string;
  readonly entries: number;
  readonly faults: readonly string[];
}

const FAULTS_SHOWN_MAX = 20;

/** Checks an `.index` (offset to position) against the batches. null: there is no such file. */
export function inspectOffsetIndex(
  path: string,
  baseOffset: number,
  batches: ReadonlyMap<number, { readonly lastOffset: number; readonly baseOffset: number }>,
): InspectedIndex | null {
  if (!existsSync(path)) return null;
  const { rows, faults } = indexRows(path, 8);
  let entries = 0;
  let lastOffset = -1;
  for (const at of rows.keys) {
    const offset = baseOffset + rows.view.getUint32(at);
    const position = rows.view.getUint32(at + 4);
    if (entries > 0 && offset === baseOffset && position === 0) break;
    const batch = batches.get(position);
    if (batch === undefined) faults.push(`offset ${offset}: no batch begins at byte ${position}`);
    else if (offset < batch.baseOffset || offset > batch.lastOffset) {
      faults.push(
        `byte ${position} holds ${batch.baseOffset} to ${batch.lastOffset}, not ${offset}`,
      );
    }
    if (offset <= lastOffset && entries > 0) faults.push(`offset ${offset} follows ${lastOffset}`);
    lastOffset = offset;
    entries += 1;
    if (faults.length >= FAULTS_SHOWN_MAX) break;
  }
  return { file: path, entries, faults };
}

/** Checks a `.timeindex` (largest time so far, its offset) for order and range. */
export function inspectTimeIndex(
  path: string,
  baseOffset: number,
  endOffset: number,
): InspectedIndex | null {
  if (!existsSync(path)) return null;
  const { rows, faults } = indexRows(path, 12);
  let entries = 0;
  let lastTime = -1n;
  let lastOffset = -1;
  for (const at of rows.keys) {
    const time = rows.view.getBigInt64(at);
    const offset = baseOffset + rows.view.getUint32(at + 8);
    if (time === 0n && offset === baseOffset && entries > 0) break;
    if (time < lastTime) faults.push(`time ${time} follows ${lastTime}`);
    if (offset < lastOffset) faults.push(`offset ${offset} follows ${lastOffset}`);
    if (offset >= endOffset && endOffset > baseOffset) {
      faults.push(`offset ${offset} is not in the log, which ends at ${endOffset}`);
    }
    lastTime = time;
    lastOffset = offset;
    entries += 1;
    if (faults.length >= FAULTS_SHOWN_MAX) break;
  }
  return { file: path, entries, faults };
}

function indexRows(path: string, entryBytes: number) {
  const bytes = readFileSync(path);
  const faults: string[] = [];
  const over = bytes.length % entryBytes;
  if (over !== 0) faults.push(`${bytes.length} bytes are no multiple of ${entryBytes}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.length / entryBytes);
  const keys = Array.from({ length: count }, (_, index) => index * entryBytes);
  return { rows: { view, keys }, faults };
}
