/** A transaction whose records a reader of committed ones has to leave out. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/** The same with the place of its marker, and the last stable offset behind that: Kafka's entry. */
export interface AbortedRange extends AbortedTransaction {
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}

/** What a reader of `[from, limit)` has to know. `limit` may be below the one asked for. */
export interface AbortedInRange {
  readonly limit: number;
  readonly transactions: readonly AbortedTransaction[];
}

const DOUBLES = 4;
const CAPACITY_MIN = 16;

/**
 * Aborted transactions of one log in the order of their markers, 32 bytes each, from the log's
 * start on. An entry's last stable offset bounds all later ones: what was open when it was
 * written begins there or behind it.
 */
export class AbortedTransactions {
  private rows = new Float64Array(0);
  private head = 0;
  private end = 0;

  get count(): number {
    return this.end - this.head;
  }

  push(
    producerId: number,
    firstOffset: number,
    lastOffset: number,
    lastStableOffset: number,
  ): void {
    if (this.end * DOUBLES === this.rows.length) this.makeRoom();
    const at = this.end * DOUBLES;
    this.rows[at] = producerId;
    this.rows[at + 1] = firstOffset;
    this.rows[at + 2] = lastOffset;
    this.rows[at + 3] = lastStableOffset;
    this.end += 1;
  }

  /**
   * Transactions that overlap `[from, limit)`, by their first offsets in no order. Where there are
   * more than `countMax` of them the range ends early, behind `from` all the same.
   */
  overlapping(from: number, limit: number, countMax: number): AbortedInRange {
    const found: AbortedTransaction[] = [];
    let end = limit;
    for (let row = this.firstEndingAt(from); row < this.end; row += 1) {
      const at = row * DOUBLES;
      const firstOffset = this.rows[at + 1] as number;
      if (firstOffset < end) found.push({ producerId: this.rows[at] as number, firstOffset });
      const stable = this.rows[at + 3] as number;
      if (stable >= end) break;
      if (found.length >= countMax && stable > from) {
        end = stable;
        break;
      }
    }
    const isInside = ({ firstOffset }: AbortedTransaction): boolean => firstOffset < end;
    return { limit: end, transactions: end < limit ? found.filter(isInside) : found };
  }

  /** Forgets transactions that end below `startOffset`. */
  trim(startOffset: number): void {
    this.head = this.firstEndingAt(startOffset);
    if (this.head * 2 < this.end) return;
    this.rows.copyWithin(0, this.head * DOUBLES, this.end * DOUBLES);
    this.end -= this.head;
    this.head = 0;
  }

  /** Forgets transactions whose marker is at or above `endOffset`. */
  truncate(endOffset: number): void {
    this.end = this.firstEndingAt(endOffset);
  }

  list(): AbortedRange[] {
    const list: AbortedRange[] = [];
    for (let row = this.head; row < this.end; row += 1) {
      const [producerId, firstOffset, lastOffset, lastStableOffset] = this.rows.subarray(
        row * DOUBLES,
        (row + 1) * DOUBLES,
      ) as unknown as [number, number, number, number];
      list.push({ producerId, firstOffset, lastOffset, lastStableOffset });
    }
    return list;
  }

  /** The first row whose marker is at or above `offset`. */
  private firstEndingAt(offset: number): number {
    let low = this.head;
    let high = this.end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.rows[middle * DOUBLES + 2] as number) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private makeRoom(): void {
    const grown = new Float64Array(Math.max(CAPACITY_MIN * DOUBLES, this.rows.length * 2));
    grown.set(this.rows);
    this.rows = grown;
  }
}
