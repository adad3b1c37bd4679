import { type LogId, assert } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { AbortedInRange } from "./aborted-transactions.ts";
import { LogTransactions } from "./log-transactions.ts";
import { NONE } from "./producer-columns.ts";
import { ProducerMemory } from "./producer-memory.ts";

/** A transaction marker, as the coordinator sends it. */
export interface Marker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly isCommit: boolean;
}

/** What to do with a marker. `done`: it has been written before, and is not again. */
export type MarkerVerdict =
  | { readonly kind: "accept" }
  | { readonly kind: "done" }
  | { readonly kind: "refuse"; readonly errorCode: ErrorCode };

const acceptMarker: MarkerVerdict = { kind: "accept" };
const markerDone: MarkerVerdict = { kind: "done" };

/**
 * What transactions have written to the partitions of this broker (KIP-98): which are open, where
 * the last stable offset lies, which of those that are over were aborted.
 */
export class ProducerTransactions extends ProducerMemory {
  /** Whether the producer has an open transaction in the partition, in this epoch. */
  isInTransaction(logId: LogId, producerId: number, producerEpoch: number): boolean {
    const { columns } = this;
    const entry = columns.find(logId, producerId);
    return (
      entry !== NONE &&
      columns.epochs[entry] === producerEpoch &&
      (columns.transactionOffsets[entry] as number) >= 0
    );
  }

  /** Readers of committed records read below it. */
  lastStableOffset(logId: LogId, highWatermark: number): number {
    const transactions = this.transactions[logId];
    return transactions === undefined
      ? highWatermark
      : transactions.lastStableOffset(highWatermark);
  }

  /** See `AbortedTransactions.overlapping`; null: none was ever aborted there. */
  abortedIn(logId: LogId, from: number, limit: number, countMax: number): AbortedInRange | null {
    const aborted = this.transactions[logId]?.aborted;
    if (aborted === undefined || aborted.count === 0) return null;
    return aborted.overlapping(from, limit, countMax);
  }

  openTransactionsOf(logId: LogId): number {
    return this.transactions[logId]?.openCount ?? 0;
  }

  /**
   * Judges a marker before it gets an offset. A marker of the new flow carries an epoch above that
   * of the records it ends (KIP-890), so an equal one with an open transaction is late, and meant
   * another.
   *
   * @param transactionVersion the coordinator's word for the flow: 2 is the new one.
   */
  judgeMarker(logId: LogId, marker: Marker, transactionVersion: number): MarkerVerdict {
    const { columns } = this;
    const entry = columns.find(logId, marker.producerId);
    if (entry === NONE) return acceptMarker;
    const epoch = columns.epochs[entry] as number;
    const isOpen = (columns.transactionOffsets[entry] as number) >= 0;
    if (marker.producerEpoch < epoch) return refuseMarker(ErrorCode.INVALID_PRODUCER_EPOCH);
    if (marker.coordinatorEpoch < (columns.coordinatorEpochs[entry] as number)) {
      return refuseMarker(ErrorCode.TRANSACTION_COORDINATOR_FENCED);
    }
    if (marker.producerEpoch > epoch) return acceptMarker;
    if (!isOpen) return markerDone;
    return transactionVersion >= 2 ? refuseMarker(ErrorCode.INVALID_PRODUCER_EPOCH) : acceptMarker;
  }

  /** Remembers a marker that was given an offset. `highWatermark` only bounds what is kept. */
  recordMarker(
    logId: LogId,
    marker: Marker,
    offset: number,
    highWatermark: number,
    nowMs: number,
  ): void {
    const { columns } = this;
    const entry = this.enter(logId, marker.producerId, nowMs);
    if (marker.producerEpoch > (columns.epochs[entry] as number)) {
      columns.epochs[entry] = marker.producerEpoch;
      columns.batchCounts[entry] = 0;
    }
    columns.coordinatorEpochs[entry] = marker.coordinatorEpoch;
    const firstOffset = columns.transactionOffsets[entry] as number;
    if (firstOffset < 0) return;
    columns.transactionOffsets[entry] = -1;
    const transactions = this.transactions[logId];
    assert(transactions !== undefined, "an open transaction has a log");
    transactions.decide(marker.producerId, firstOffset, offset, marker.isCommit);
    transactions.settle(highWatermark);
  }

  /**
   * Remembers a transactional batch without sequence numbers that was given an offset: those that
   * a coordinator writes for a producer (committed offsets).
   */
  recordUnsequenced(
    logId: LogId,
    producerId: number,
    producerEpoch: number,
    baseOffset: number,
    nowMs: number,
  ): void {
    const entry = this.enter(logId, producerId, nowMs);
    if (producerEpoch > (this.columns.epochs[entry] as number)) {
      this.columns.epochs[entry] = producerEpoch;
      this.columns.batchCounts[entry] = 0;
    }
    this.openTransaction(entry, logId, baseOffset);
  }

  /** The producer's transaction in this partition begins here, if none is open. */
  protected openTransaction(entry: number, logId: LogId, baseOffset: number): void {
    const { columns } = this;
    if ((columns.transactionOffsets[entry] as number) >= 0) return;
    columns.transactionOffsets[entry] = baseOffset;
    this.transactionsOf(logId).open(columns.producerIds[entry] as number, baseOffset);
  }

  protected transactionsOf(logId: LogId): LogTransactions {
    return (this.transactions[logId] ??= new LogTransactions());
  }
}

const refuseMarker = (errorCode: ErrorCode): MarkerVerdict => ({ kind: "refuse", errorCode });
