import { assert } from "@mantou/base";
import { AbortedTransactions } from "./aborted-transactions.ts";

/** A transaction of one log; a marker at `lastOffset` has decided it. */
export interface DecidedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/**
 * The transactions of one log: open ones by their first offset, decided ones whose marker is not
 * below the high watermark yet, and aborted ones as far as the log reaches back. Only logs that
 * transactions write to have one.
 */
export class LogTransactions {
  readonly aborted = new AbortedTransactions();
  /** Ascending, since each transaction begins at what is the log's end then. */
  private readonly openFirsts: number[] = [];
  private readonly openProducers: number[] = [];
  /** In the order of their markers. */
  private decided: DecidedTransaction[] = [];
  /** Where the log starts, as far as it was told. */
  private start = 0;

  get openCount(): number {
    return this.openFirsts.length;
  }

  open(producerId: number, firstOffset: number): void {
    const at = this.placeOf(firstOffset);
    this.openFirsts.splice(at, 0, firstOffset);
    this.openProducers.splice(at, 0, producerId);
  }

  /** A marker at `lastOffset` ends the transaction that began at `firstOffset`. */
  decide(producerId: number, firstOffset: number, lastOffset: number, isCommit: boolean): void {
    const at = this.placeOf(firstOffset);
    assert(this.openProducers[at] === producerId, "only an open transaction is decided");
    this.openFirsts.splice(at, 1);
    this.openProducers.splice(at, 1);
    this.decided.push({ producerId, firstOffset, lastOffset });
    if (isCommit) return;
    const stable = this.openFirsts[0] ?? lastOffset + 1;
    this.aborted.push(producerId, firstOffset, lastOffset, stable);
  }

  /** Below it every record's fate is known and its marker can be read (KIP-98). */
  lastStableOffset(highWatermark: number): number {
    this.settle(highWatermark);
    let offset = Math.min(highWatermark, this.openFirsts[0] ?? Infinity);
    for (const { firstOffset } of this.decided) offset = Math.min(offset, firstOffset);
    // Records of an open transaction may have been deleted; what is not there is stable.
    return Math.max(offset, Math.min(this.start, highWatermark));
  }

  /** Records below `startOffset` are gone: nobody asks which of them were aborted. */
  trim(startOffset: number): void {
    this.start = startOffset;
    this.aborted.trim(startOffset);
  }

  /** Records at and above `endOffset` are gone. Gives the transactions that are open again. */
  truncate(endOffset: number): DecidedTransaction[] {
    const kept = this.placeOf(endOffset);
    this.openFirsts.length = kept;
    this.openProducers.length = kept;
    const undone = this.decided.filter(({ lastOffset }) => lastOffset >= endOffset);
    this.decided = this.decided.filter(({ lastOffset }) => lastOffset < endOffset);
    this.aborted.truncate(endOffset);
    const reopened = undone.filter(({ firstOffset }) => firstOffset < endOffset);
    // Of one producer only the first of them; the later ones began behind its marker.
    for (const { firstOffset, producerId } of reopened) this.open(producerId, firstOffset);
    return reopened;
  }

  /** Open transactions, oldest first. */
  listOpen(): { readonly producerId: number; readonly firstOffset: number }[] {
    return this.openFirsts.map((firstOffset, at) => ({
      producerId: this.openProducers[at] as number,
      firstOffset,
    }));
  }

  listDecided(): readonly DecidedTransaction[] {
    return this.decided;
  }

  restoreDecided(decided: readonly DecidedTransaction[]): void {
    this.decided = [...decided];
  }

  /** Forgets decided transactions whose marker is below the high watermark. */
  settle(highWatermark: number): void {
    let settled = 0;
    while (
      settled < this.decided.length &&
      (this.decided[settled] as DecidedTransaction).lastOffset < highWatermark
    ) {
      settled += 1;
    }
    if (settled > 0) this.decided.splice(0, settled);
  }

  /** The first open transaction that begins at or above `offset`. */
  private placeOf(offset: number): number {
    let low = 0;
    let high = this.openFirsts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.openFirsts[middle] as number) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
