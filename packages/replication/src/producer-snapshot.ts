import { type Result, err, ok } from "@mantou/base";
import { crc32c, getInt64, putInt64 } from "@mantou/protocol";
import type { AbortedRange } from "./aborted-transactions.ts";
import type { DecidedTransaction } from "./log-transactions.ts";

/** One batch of a producer. The first sequence is `sequenceDelta` before the last. */
export interface ProducerBatch {
  readonly lastSequence: number;
  readonly sequenceDelta: number;
  readonly lastOffset: number;
  readonly timestamp: number;
}

/** All that is remembered of one producer of a partition. Batches are oldest first. */
export interface ProducerEntry {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  /** First offset of the open transaction, or -1. */
  readonly transactionOffset: number;
  readonly batches: readonly ProducerBatch[];
}

/** What a partition remembers of transactions beside those that its producers have open. */
export interface SavedTransactions {
  /** In the order of their markers. */
  readonly aborted: readonly AbortedRange[];
  /** Markers that were not below the high watermark yet. */
  readonly decided: readonly DecidedTransaction[];
}

/** Everything in a snapshot. */
export interface ProducerSnapshot {
  readonly producers: readonly ProducerEntry[];
  readonly transactions: SavedTransactions;
}

/** Why a snapshot cannot be used. */
export interface SnapshotFault {
  readonly kind: "truncated" | "checksum" | "unknown-version" | "malformed";
  readonly message: string;
}

/** `<end offset, 20 digits>.snapshot`: the state just below that offset. */
export const producerSnapshotName = (endOffset: number): string =>
  `${String(endOffset).padStart(20, "0")}.snapshot`;

/** The end offset in a snapshot's file name, or null for another file. */
export function producerSnapshotOffset(name: string): number | null {
  const match = /^(\d{20})\.snapshot$/.exec(name);
  if (match === null) return null;
  const offset = Number(match[1]);
  return offset <= Number.MAX_SAFE_INTEGER ? offset : null;
}

const VERSION = 1;
const HEADER_BYTES = 2 + 4;
const ENTRY_BYTES = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
const EARLIER_BYTES = 4 + 4 + 8 + 8;
/** "mtou": behind Kafka's entries follow the earlier batches of each of them. */
const EARLIER_MAGIC = 0x6d746f75;
/** "mtxn": behind them the transactions, where there are any. */
const TRANSACTIONS_MAGIC = 0x6d74786e;
const TRANSACTIONS_HEADER_BYTES = 4 + 4 + 4;
const ABORTED_BYTES = 8 * 4;
const DECIDED_BYTES = 8 * 3;
const NO_TRANSACTIONS: SavedTransactions = { aborted: [], decided: [] };

/**
 * Kafka's snapshot, version 1: version (int16), CRC-32C of everything behind it (uint32), entries
 * (int32 count; producer id, epoch, last sequence, last offset, offset delta, timestamp,
 * coordinator epoch, first offset of the transaction). Kafka's form holds the last batch of each
 * producer only. Ours says the others behind it, where Kafka's readers do not look: a magic, then
 * per entry a count and that many of (last sequence, delta, last offset, timestamp). Behind that,
 * where transactions were aborted or are just decided: a magic, two counts (int32), that many
 * aborted ones (producer id, first offset, marker, last stable offset) and that many decided ones
 * (producer id, first offset, marker), all int64.
 */
export function encodeProducerSnapshot(
  entries: readonly ProducerEntry[],
  transactions: SavedTransactions = NO_TRANSACTIONS,
): Uint8Array {
  const earlier = entries.reduce((sum, { batches }) => sum + Math.max(batches.length - 1, 0), 0);
  const bytes = new Uint8Array(
    HEADER_BYTES +
      4 +
      entries.length * (ENTRY_BYTES + 1) +
      4 +
      earlier * EARLIER_BYTES +
      transactionsBytes(transactions),
  );
  const view = new DataView(bytes.buffer);
  view.setInt16(0, VERSION);
  view.setInt32(HEADER_BYTES, entries.length);
  let at = HEADER_BYTES + 4;
  for (const entry of entries) {
    const last = entry.batches.at(-1);
    putInt64(view, at, entry.producerId);
    view.setInt16(at + 8, entry.producerEpoch);
    view.setInt32(at + 10, last?.lastSequence ?? -1);
    putInt64(view, at + 14, last?.lastOffset ?? -1);
    view.setInt32(at + 22, last?.sequenceDelta ?? 0);
    putInt64(view, at + 26, last?.timestamp ?? -1);
    view.setInt32(at + 34, entry.coordinatorEpoch);
    putInt64(view, at + 38, entry.transactionOffset);
    at += ENTRY_BYTES;
  }
  view.setUint32(at, EARLIER_MAGIC);
  at += 4;
  for (const { batches } of entries) {
    const others = batches.slice(0, -1);
    view.setUint8(at, others.length);
    at += 1;
    for (const batch of others) {
      view.setInt32(at, batch.lastSequence);
      view.setInt32(at + 4, batch.sequenceDelta);
      putInt64(view, at + 8, batch.lastOffset);
      putInt64(view, at + 16, batch.timestamp);
      at += EARLIER_BYTES;
    }
  }
  putTransactions(view, at, transactions);
  view.setUint32(2, crc32c(bytes, HEADER_BYTES, bytes.length));
  return bytes;
}

function transactionsBytes({ aborted, decided }: SavedTransactions): number {
  if (aborted.length === 0 && decided.length === 0) return 0;
  const rows = aborted.length * ABORTED_BYTES + decided.length * DECIDED_BYTES;
  return TRANSACTIONS_HEADER_BYTES + rows;
}

function putTransactions(view: DataView, from: number, transactions: SavedTransactions): void {
  if (transactionsBytes(transactions) === 0) return;
  const { aborted, decided } = transactions;
  view.setUint32(from, TRANSACTIONS_MAGIC);
  view.setInt32(from + 4, aborted.length);
  view.setInt32(from + 8, decided.length);
  let at = from + TRANSACTIONS_HEADER_BYTES;
  const put = (...values: number[]): void => {
    for (const value of values) {
      putInt64(view, at, value);
      at += 8;
    }
  };
  for (const one of aborted) {
    put(one.producerId, one.firstOffset, one.lastOffset, one.lastStableOffset);
  }
  for (const one of decided) put(one.producerId, one.firstOffset, one.lastOffset);
}

export function decodeProducerSnapshot(bytes: Uint8Array): Result<ProducerSnapshot, SnapshotFault> {
  if (bytes.length < HEADER_BYTES + 4) return fault("truncated", "it is shorter than its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getInt16(0);
  if (version !== VERSION) return fault("unknown-version", `version ${version} is unknown`);
  if (view.getUint32(2) !== crc32c(bytes, HEADER_BYTES, bytes.length)) {
    return fault("checksum", "its checksum does not match");
  }
  const count = view.getInt32(HEADER_BYTES);
  const entriesEnd = HEADER_BYTES + 4 + count * ENTRY_BYTES;
  if (count < 0 || entriesEnd > bytes.length) {
    return fault("malformed", `it announces ${count} producers in ${bytes.length} bytes`);
  }
  const entries: (ProducerEntry & { batches: ProducerBatch[] })[] = [];
  for (let at = HEADER_BYTES + 4; at < entriesEnd; at += ENTRY_BYTES) {
    const lastSequence = view.getInt32(at + 10);
    const last = {
      lastSequence,
      sequenceDelta: view.getInt32(at + 22),
      lastOffset: getInt64(view, at + 14),
      timestamp: getInt64(view, at + 26),
    };
    const isSound = lastSequence < 0 || (last.sequenceDelta >= 0 && last.lastOffset >= 0);
    if (!isSound) return fault("malformed", "a producer's last batch is out of range");
    entries.push({
      producerId: getInt64(view, at),
      producerEpoch: view.getInt16(at + 8),
      coordinatorEpoch: view.getInt32(at + 34),
      transactionOffset: getInt64(view, at + 38),
      batches: lastSequence < 0 ? [] : [last],
    });
  }
  return addEarlier(view, entriesEnd, entries);
}

/** Puts the earlier batches before the last one of each producer. Kafka's own files have none. */
function addEarlier(
  view: DataView,
  from: number,
  entries: (ProducerEntry & { batches: ProducerBatch[] })[],
): Result<ProducerSnapshot, SnapshotFault> {
  if (from + 4 > view.byteLength || view.getUint32(from) !== EARLIER_MAGIC) {
    return ok({ producers: entries, transactions: NO_TRANSACTIONS });
  }
  let at = from + 4;
  for (const entry of entries) {
    const count = at < view.byteLength ? view.getUint8(at) : -1;
    if (count < 0 || at + 1 + count * EARLIER_BYTES > view.byteLength) {
      return fault("malformed", "earlier batches are cut off");
    }
    at += 1;
    const earlier: ProducerBatch[] = [];
    for (let index = 0; index < count; index += 1, at += EARLIER_BYTES) {
      earlier.push({
        lastSequence: view.getInt32(at),
        sequenceDelta: view.getInt32(at + 4),
        lastOffset: getInt64(view, at + 8),
        timestamp: getInt64(view, at + 16),
      });
    }
    entry.batches.unshift(...earlier);
  }
  const transactions = readTransactions(view, at);
  if (transactions === null) return fault("malformed", "transactions are out of order or cut off");
  return ok({ producers: entries, transactions });
}

/** Null: what is there is not what was written. */
function readTransactions(view: DataView, from: number): SavedTransactions | null {
  if (from + TRANSACTIONS_HEADER_BYTES > view.byteLength) return NO_TRANSACTIONS;
  if (view.getUint32(from) !== TRANSACTIONS_MAGIC) return NO_TRANSACTIONS;
  const abortedCount = view.getInt32(from + 4);
  const decidedCount = view.getInt32(from + 8);
  const bytes = abortedCount * ABORTED_BYTES + decidedCount * DECIDED_BYTES;
  const rowsAt = from + TRANSACTIONS_HEADER_BYTES;
  if (abortedCount < 0 || decidedCount < 0 || rowsAt + bytes > view.byteLength) return null;
  let at = rowsAt;
  const next = (): number => {
    at += 8;
    return getInt64(view, at - 8);
  };
  const rows = (count: number, read: () => AbortedRange): AbortedRange[] | null => {
    const list: AbortedRange[] = [];
    let before = -1;
    for (let row = 0; row < count; row += 1) {
      const one = read();
      const isSound = one.firstOffset >= 0 && one.lastOffset > one.firstOffset;
      if (!isSound || one.lastOffset <= before) return null;
      before = one.lastOffset;
      list.push(one);
    }
    return list;
  };
  const aborted = rows(abortedCount, () => ({
    producerId: next(),
    firstOffset: next(),
    lastOffset: next(),
    lastStableOffset: next(),
  }));
  const decided = rows(decidedCount, () => ({
    producerId: next(),
    firstOffset: next(),
    lastOffset: next(),
    lastStableOffset: 0,
  }));
  if (aborted === null || decided === null) return null;
  const bare = decided.map(({ producerId, firstOffset, lastOffset }) => ({
    producerId,
    firstOffset,
    lastOffset,
  }));
  return { aborted, decided: bare };
}

const fault = (kind: SnapshotFault["kind"], message: string): Result<never, SnapshotFault> =>
  err({ kind, message: `the producer snapshot cannot be used: ${message}` });
