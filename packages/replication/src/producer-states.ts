import type { LogId } from "@mantou/base";
import { ErrorCode, addSequence } from "@mantou/protocol";
import { NONE } from "./producer-columns.ts";
import { ProducerSnapshots } from "./producer-snapshots.ts";
import type { Marker } from "./producer-transactions.ts";

/**
 * What to do with a producer's batch. A `duplicate` is answered with success and the offset it
 * got the first time, once that append is as durable as was asked for. Valid until the next call.
 */
export type Verdict =
  | { readonly kind: "accept" }
  | { readonly kind: "duplicate"; readonly baseOffset: number; readonly timestamp: number }
  | { readonly kind: "refuse"; readonly errorCode: ErrorCode; readonly message: string };

/** One producer of a partition, as DescribeProducers shows it. */
export interface ProducerDescription {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** -1: nothing written in this epoch. */
  readonly lastSequence: number;
  readonly lastTimestamp: number;
  readonly coordinatorEpoch: number;
  /** -1: no open transaction. */
  readonly currentTxnStartOffset: number;
}

/** Columns of a batch header row: the shape of io's `BatchHeader`, which replay reads. */
export const HeaderRow = {
  baseOffset: 0,
  lastOffsetDelta: 1,
  maxTimestamp: 2,
  producerId: 3,
  producerEpoch: 4,
  baseSequence: 5,
  attributes: 6,
  leaderEpoch: 7,
} as const;
export const HEADER_ROW_DOUBLES = 8;

const TRANSACTIONAL_BATCH = 0x10;
const CONTROL_BATCH = 0x20;
const accept: Verdict = { kind: "accept" };

const refuse = (errorCode: ErrorCode, message: string): Verdict => ({
  kind: "refuse",
  errorCode,
  message,
});

const outOfOrder = (producerId: number, sequence: number, expected: number): Verdict =>
  refuse(
    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    `producer ${producerId} sent sequence ${sequence}, expected was ${expected}`,
  );

/**
 * What idempotent producers have written to the partitions of this broker (KIP-98, KIP-360):
 * refuses gaps and old epochs, recognises batches that were sent again. `admit` decides, `record`
 * remembers; replay at start uses `record` too, without asking.
 */
export class ProducerStates extends ProducerSnapshots {
  private readonly duplicate = { kind: "duplicate" as const, baseOffset: 0, timestamp: 0 };

  /**
   * Judges a batch before it gets an offset.
   *
   * @param lastOffsetDelta of the batch: its number of records - 1, and of sequences.
   * @param beginsAtZero an unknown producer has to begin with sequence 0: those of the new flow do
   *   (KIP-890), as their epoch is new with each transaction.
   */
  admit(
    logId: LogId,
    producerId: number,
    producerEpoch: number,
    baseSequence: number,
    lastOffsetDelta: number,
    nowMs: number,
    isTransactional = false,
    beginsAtZero = false,
  ): Verdict {
    if (producerEpoch < 0 || baseSequence < 0) {
      return refuse(ErrorCode.INVALID_RECORD, "a producer id needs an epoch and a sequence");
    }
    const { columns } = this;
    const entry = columns.find(logId, producerId);
    if (entry === NONE) {
      if (beginsAtZero && baseSequence !== 0) return outOfOrder(producerId, baseSequence, 0);
      if (this.hasRoom(logId)) return accept;
      const message = "every producer the partition may remember has an open transaction";
      return refuse(ErrorCode.POLICY_VIOLATION, message);
    }
    // What has expired is unknown, whether it was swept up yet or not.
    if (this.isExpired(entry, nowMs)) return accept;
    const epoch = columns.epochs[entry] as number;
    if (producerEpoch < epoch) {
      const message = `producer ${producerId} is at epoch ${epoch}, the batch at ${producerEpoch}`;
      return refuse(ErrorCode.INVALID_PRODUCER_EPOCH, message);
    }
    if (producerEpoch === epoch && this.isDuplicate(entry, baseSequence, lastOffsetDelta)) {
      return this.duplicate;
    }
    if (!isTransactional && (columns.transactionOffsets[entry] as number) >= 0) {
      const message = `producer ${producerId} has an open transaction and the batch is outside of it`;
      return refuse(ErrorCode.INVALID_TXN_STATE, message);
    }
    const expected = producerEpoch > epoch ? 0 : this.nextSequence(entry);
    // An epoch of -1 was never written with: nothing is known that could be contradicted.
    if (epoch < 0 || baseSequence === expected) return accept;
    return outOfOrder(producerId, baseSequence, expected);
  }

  /** Remembers a batch that was given offsets. */
  record(
    logId: LogId,
    producerId: number,
    producerEpoch: number,
    baseSequence: number,
    lastOffsetDelta: number,
    baseOffset: number,
    timestamp: number,
    nowMs: number,
    isTransactional = false,
  ): void {
    const { columns } = this;
    const known = columns.find(logId, producerId);
    if (known !== NONE && this.isExpired(known, nowMs)) columns.remove(known);
    const entry = this.enter(logId, producerId, nowMs);
    if (columns.epochs[entry] !== producerEpoch) {
      columns.epochs[entry] = producerEpoch;
      columns.batchCounts[entry] = 0;
    }
    const batch = columns.pushBatch(entry);
    columns.lastSequences[batch] = addSequence(baseSequence, lastOffsetDelta);
    columns.sequenceDeltas[batch] = lastOffsetDelta;
    columns.lastOffsets[batch] = baseOffset + lastOffsetDelta;
    columns.timestamps[batch] = timestamp;
    if (isTransactional) this.openTransaction(entry, logId, baseOffset);
  }

  /**
   * Remembers batches that are in the log already: header rows back to back, in the log's order.
   * Rows that are known are skipped, so reading may begin a little early.
   *
   * @param markerAt what the control batch at an offset says: headers do not tell. Null: it is
   *   no transaction's marker.
   */
  replay(
    logId: LogId,
    headers: Float64Array,
    nowMs: number,
    markerAt: (baseOffset: number) => Marker | null = () => null,
  ): void {
    for (let at = 0; at < headers.length; at += HEADER_ROW_DOUBLES) {
      const value = (column: number): number => headers[at + column] as number;
      const producerId = value(HeaderRow.producerId);
      if (producerId < 0) continue;
      const producerEpoch = value(HeaderRow.producerEpoch);
      const baseOffset = value(HeaderRow.baseOffset);
      const attributes = value(HeaderRow.attributes);
      const isControl = (attributes & CONTROL_BATCH) !== 0;
      const isTransactional = (attributes & TRANSACTIONAL_BATCH) !== 0;
      const entry = this.columns.find(logId, producerId);
      const lastOffset = baseOffset + value(HeaderRow.lastOffsetDelta);
      if (entry !== NONE && lastOffset <= this.lastOffset(entry)) continue;
      if (isControl) {
        const marker = markerAt(baseOffset);
        if (marker === null) this.bumpEpoch(logId, producerId, producerEpoch, nowMs);
        else this.recordMarker(logId, marker, baseOffset, 0, nowMs);
        continue;
      }
      if (value(HeaderRow.baseSequence) < 0) {
        if (isTransactional) {
          this.recordUnsequenced(logId, producerId, producerEpoch, baseOffset, nowMs);
        } else this.bumpEpoch(logId, producerId, producerEpoch, nowMs);
        continue;
      }
      this.record(
        logId,
        producerId,
        producerEpoch,
        value(HeaderRow.baseSequence),
        value(HeaderRow.lastOffsetDelta),
        baseOffset,
        value(HeaderRow.maxTimestamp),
        nowMs,
        isTransactional,
      );
    }
  }

  /** The longest idle producer first. */
  list(logId: LogId): ProducerDescription[] {
    const { columns } = this;
    const list: ProducerDescription[] = [];
    for (let entry = columns.oldestOf(logId); entry !== NONE; entry = columns.newerOfLog(entry)) {
      const newest = columns.batchAt(entry, 0);
      const hasBatch = (columns.batchCounts[entry] as number) > 0;
      list.push({
        producerId: columns.producerIds[entry] as number,
        producerEpoch: columns.epochs[entry] as number,
        lastSequence: hasBatch ? (columns.lastSequences[newest] as number) : -1,
        lastTimestamp: hasBatch ? (columns.timestamps[newest] as number) : -1,
        coordinatorEpoch: columns.coordinatorEpochs[entry] as number,
        currentTxnStartOffset: columns.transactionOffsets[entry] as number,
      });
    }
    return list;
  }

  /** A marker told a newer epoch without a batch of the producer's own. */
  private bumpEpoch(logId: LogId, producerId: number, producerEpoch: number, nowMs: number): void {
    const entry = this.enter(logId, producerId, nowMs);
    if (producerEpoch <= (this.columns.epochs[entry] as number)) return;
    this.columns.epochs[entry] = producerEpoch;
    this.columns.batchCounts[entry] = 0;
  }

  /** Looks for the exact batch; on success `this.duplicate` says where it went. */
  private isDuplicate(entry: number, baseSequence: number, lastOffsetDelta: number): boolean {
    const { columns } = this;
    const lastSequence = addSequence(baseSequence, lastOffsetDelta);
    const count = columns.batchCounts[entry] as number;
    for (let back = 0; back < count; back += 1) {
      const at = columns.batchAt(entry, back);
      if (columns.lastSequences[at] !== lastSequence) continue;
      if (columns.sequenceDeltas[at] !== lastOffsetDelta) continue;
      this.duplicate.baseOffset = (columns.lastOffsets[at] as number) - lastOffsetDelta;
      this.duplicate.timestamp = columns.timestamps[at] as number;
      return true;
    }
    return false;
  }

  private nextSequence(entry: number): number {
    const { columns } = this;
    if (columns.batchCounts[entry] === 0) return 0;
    return addSequence(columns.lastSequences[columns.batchAt(entry, 0)] as number, 1);
  }

  private lastOffset(entry: number): number {
    const { columns } = this;
    if (columns.batchCounts[entry] === 0) return -1;
    return columns.lastOffsets[columns.batchAt(entry, 0)] as number;
  }
}
