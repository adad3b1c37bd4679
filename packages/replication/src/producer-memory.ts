import { type LogId, assert } from "@mantou/base";
import type { LogTransactions } from "./log-transactions.ts";
import { NONE, ProducerColumns } from "./producer-columns.ts";

export interface ProducerLimits {
  /** Producers that one partition remembers. */
  readonly producersPerPartitionMax: number;
  /** Producers that all partitions together remember. */
  readonly producersMax: number;
  /** Idle time after which a producer is forgotten. */
  readonly producerIdExpirationMs: number;
}

/**
 * Who is remembered, and who is forgotten. Bounded by the policy "forget the longest idle": a
 * producer that comes back after it was forgotten is taken for an unknown one, and may begin with
 * any sequence. Producers with an open transaction are never forgotten.
 */
export class ProducerMemory {
  protected readonly columns = new ProducerColumns();
  /** By log id; undefined where no transaction has written. */
  protected readonly transactions: (LogTransactions | undefined)[] = [];

  constructor(protected limits: ProducerLimits) {
    this.configure(limits);
  }

  /** Producers over all partitions. */
  get size(): number {
    return this.columns.count;
  }

  sizeOf(logId: LogId): number {
    return this.columns.countOf(logId);
  }

  /** New bounds; they hold from the next new producer on. */
  configure(limits: ProducerLimits): void {
    assert(limits.producersPerPartitionMax > 0 && limits.producersMax > 0, "limits are positive");
    this.limits = limits;
  }

  /**
   * Records at and above `endOffset` are gone, and with them what is remembered of their batches.
   * Returns how many producers had no older batch left and were forgotten. Transactions whose
   * marker is gone are open again.
   */
  truncate(logId: LogId, endOffset: number): number {
    const { columns } = this;
    let forgotten = 0;
    for (let entry = columns.oldestOf(logId); entry !== NONE;) {
      const next = columns.newerOfLog(entry);
      const before = columns.batchCounts[entry] as number;
      while (
        (columns.batchCounts[entry] as number) > 0 &&
        (columns.lastOffsets[columns.batchAt(entry, 0)] as number) >= endOffset
      ) {
        columns.popBatch(entry);
      }
      if ((columns.transactionOffsets[entry] as number) >= endOffset) {
        columns.transactionOffsets[entry] = -1;
      }
      const isOpen = (columns.transactionOffsets[entry] as number) >= 0;
      if (before > 0 && columns.batchCounts[entry] === 0 && !isOpen) {
        columns.remove(entry);
        forgotten += 1;
      }
      entry = next;
    }
    for (const one of this.transactions[logId]?.truncate(endOffset) ?? []) {
      const known = columns.find(logId, one.producerId);
      const entry = known === NONE ? columns.add(logId, one.producerId) : known;
      columns.transactionOffsets[entry] = one.firstOffset;
    }
    return forgotten;
  }

  /** Records below `startOffset` are gone: nobody asks which of them were aborted. */
  trim(logId: LogId, startOffset: number): void {
    this.transactions[logId]?.trim(startOffset);
  }

  /**
   * Id, epoch and last offset (-1: no batch is known) of each producer of a log, three numbers each:
   * what compaction must leave a header of.
   */
  lastOffsets(logId: LogId): number[] {
    const { columns } = this;
    const rows: number[] = [];
    for (let entry = columns.oldestOf(logId); entry !== NONE; entry = columns.newerOfLog(entry)) {
      const hasBatch = (columns.batchCounts[entry] as number) > 0;
      const last = hasBatch ? (columns.lastOffsets[columns.batchAt(entry, 0)] as number) : -1;
      rows.push(columns.producerIds[entry] as number, columns.epochs[entry] as number, last);
    }
    return rows;
  }

  /** The log is gone from this broker. */
  forget(logId: LogId): void {
    this.transactions[logId] = undefined;
    for (let entry = this.columns.oldestOf(logId); entry !== NONE;) {
      const next = this.columns.newerOfLog(entry);
      this.columns.remove(entry);
      entry = next;
    }
  }

  /**
   * Forgets producers that have been idle for too long and have no open transaction. Looks at
   * the longest idle ones only, and at `entriesMax` of them at most.
   */
  expire(nowMs: number, entriesMax = 10_000): number {
    const { columns } = this;
    let expired = 0;
    let entry = columns.oldestOfAll();
    for (let looked = 0; entry !== NONE && looked < entriesMax; looked += 1) {
      if (nowMs - (columns.activeMs[entry] as number) < this.limits.producerIdExpirationMs) break;
      const next = columns.newerOfAll(entry);
      if ((columns.transactionOffsets[entry] as number) < 0) {
        columns.remove(entry);
        expired += 1;
      }
      entry = next;
    }
    return expired;
  }

  /** The producer's entry, now the latest; room for a new one is made first. */
  protected enter(logId: LogId, producerId: number, nowMs: number): number {
    const { columns } = this;
    let entry = columns.find(logId, producerId);
    if (entry === NONE) {
      this.makeRoom(logId);
      entry = columns.add(logId, producerId);
    } else {
      columns.touch(entry);
    }
    columns.activeMs[entry] = nowMs;
    return entry;
  }

  private makeRoom(logId: LogId): void {
    const { columns, limits } = this;
    if (columns.countOf(logId) >= limits.producersPerPartitionMax) {
      const victim = this.idleEntry(columns.oldestOf(logId), true);
      if (victim !== NONE) columns.remove(victim);
    }
    if (columns.count >= limits.producersMax) {
      const victim = this.idleEntry(columns.oldestOfAll(), false);
      if (victim !== NONE) columns.remove(victim);
    }
  }

  protected isExpired(entry: number, nowMs: number): boolean {
    const idleMs = nowMs - (this.columns.activeMs[entry] as number);
    const isInTransaction = (this.columns.transactionOffsets[entry] as number) >= 0;
    return idleMs >= this.limits.producerIdExpirationMs && !isInTransaction;
  }

  /** Whether `enter` could take one more producer of this log. */
  protected hasRoom(logId: LogId): boolean {
    const { columns, limits } = this;
    const own =
      columns.countOf(logId) < limits.producersPerPartitionMax ||
      this.idleEntry(columns.oldestOf(logId), true) !== NONE;
    if (!own) return false;
    return (
      columns.count < limits.producersMax || this.idleEntry(columns.oldestOfAll(), false) !== NONE
    );
  }

  /** The longest idle entry from `entry` on without an open transaction. */
  private idleEntry(entry: number, ofLog: boolean): number {
    const { columns } = this;
    let at = entry;
    while (at !== NONE && (columns.transactionOffsets[at] as number) >= 0) {
      at = ofLog ? columns.newerOfLog(at) : columns.newerOfAll(at);
    }
    return at;
  }
}
