import { type LogId, assert } from "@mantou/base";
import { type EpochEnd, type EpochEntry, LeaderEpochs } from "./leader-epochs.ts";
import { PartitionColumns } from "./partition-columns.ts";

/** A slot's part in its partition. */
export const Role = { CLOSED: 0, FOLLOWER: 1, LEADER: 2 } as const;

/** What handlers may ask of the partitions of this broker. Offsets are for open logs only. */
export class PartitionReads {
  protected readonly columns = new PartitionColumns();
  protected readonly history = new LeaderEpochs();

  get openCount(): number {
    return this.columns.openCount;
  }

  isOpen(logId: LogId): boolean {
    return this.columns.slotOf(logId) >= 0;
  }

  isLeader(logId: LogId): boolean {
    const slot = this.columns.slotOf(logId);
    return slot >= 0 && this.columns.roles[slot] === Role.LEADER;
  }

  /** Whether a write failed and the log waits to be opened again. */
  isFailed(logId: LogId): boolean {
    const slot = this.columns.slotOf(logId);
    return slot >= 0 && this.columns.failed[slot] === 1;
  }

  leaderEpoch(logId: LogId): number {
    return this.columns.leaderEpochs[this.slot(logId)] as number;
  }

  partitionEpoch(logId: LogId): number {
    return this.columns.partitionEpochs[this.slot(logId)] as number;
  }

  logStartOffset(logId: LogId): number {
    return this.columns.logStarts[this.slot(logId)] as number;
  }

  /** The offset of the next record. */
  logEndOffset(logId: LogId): number {
    return this.columns.logEnds[this.slot(logId)] as number;
  }

  writtenEndOffset(logId: LogId): number {
    return this.columns.writtenEnds[this.slot(logId)] as number;
  }

  durableEndOffset(logId: LogId): number {
    return this.columns.durableEnds[this.slot(logId)] as number;
  }

  /** Consumers read below it. */
  highWatermark(logId: LogId): number {
    return this.columns.highWatermarks[this.slot(logId)] as number;
  }

  /** First offset that fails its checksum, or Infinity. */
  corruptFromOffset(logId: LogId): number {
    return this.columns.corruptFroms[this.slot(logId)] as number;
  }

  /** Members of the committed in-sync set, this node included. */
  inSyncCount(logId: LogId): number {
    return this.columns.inSyncCounts[this.slot(logId)] as number;
  }

  /**
   * Whether the high watermark covers what was in the log when this leadership began. Until then
   * it may be behind what an earlier leader has shown (OFFSET_NOT_AVAILABLE).
   */
  isWatermarkCurrent(logId: LogId): boolean {
    const slot = this.slot(logId);
    const { epochStarts, highWatermarks } = this.columns;
    return (highWatermarks[slot] as number) >= (epochStarts[slot] as number);
  }

  /** The largest known leader epoch <= `epoch` and its end offset; (-1, -1) when unknown. */
  endOffsetForEpoch(logId: LogId, epoch: number): EpochEnd {
    const slot = this.slot(logId);
    return this.history.endOffsetFor(slot, epoch, this.columns.logEnds[slot] as number);
  }

  /** The leader epoch that wrote `offset`, or -1. */
  epochAt(logId: LogId, offset: number): number {
    return this.history.at(this.slot(logId), offset);
  }

  /** The newest leader epoch in the log: a follower's `lastFetchedEpoch`. */
  latestEpoch(logId: LogId): number {
    return this.history.latest(this.slot(logId));
  }

  /** Content of the leader-epoch checkpoint, oldest first. */
  epochEntries(logId: LogId): EpochEntry[] {
    return this.history.entries(this.slot(logId));
  }

  /**
   * Where a follower has to cut its log when the leader says that `epoch`, the largest it knows
   * not above the follower's own last one, ends at `endOffset` (KIP-101, KIP-595).
   */
  truncationFor(logId: LogId, epoch: number, endOffset: number): number {
    const slot = this.slot(logId);
    const logEnd = this.columns.logEnds[slot] as number;
    const own = this.history.endOffsetFor(slot, epoch, logEnd);
    const common = own.epoch === -1 ? endOffset : Math.min(own.endOffset, endOffset);
    const target = Math.min(common, logEnd);
    return Math.max(target, this.columns.logStarts[slot] as number);
  }

  /** What must hold of every partition, as sentences about what does not. */
  checkInvariants(): string[] {
    const faults: string[] = [];
    for (const [logId, slot] of this.columns.openSlots()) {
      faults.push(...this.offsetFaults(slot).map((fault) => `log ${logId}: ${fault}`));
      const end = this.columns.logEnds[slot] as number;
      let before = -1;
      for (const { epoch, startOffset } of this.history.entries(slot)) {
        if (startOffset > end) faults.push(`log ${logId}: epoch ${epoch} begins past its end`);
        if (startOffset < before) faults.push(`log ${logId}: epoch ${epoch} begins too early`);
        before = startOffset;
      }
    }
    return faults;
  }

  protected slot(logId: LogId): number {
    const slot = this.columns.slotOf(logId);
    assert(slot >= 0, `log ${logId} is not open`);
    return slot;
  }

  private offsetFaults(slot: number): string[] {
    const { columns } = this;
    const offsets = [
      columns.logStarts,
      columns.highWatermarks,
      columns.durableEnds,
      columns.writtenEnds,
      columns.logEnds,
    ].map((column) => column[slot] as number);
    const faults: string[] = [];
    for (let index = 1; index < offsets.length; index += 1) {
      if ((offsets[index] as number) < (offsets[index - 1] as number)) {
        faults.push(`start, watermark, durable, written and end do not rise: ${offsets.join(" ")}`);
        break;
      }
    }
    if ((columns.inSyncCounts[slot] as number) < 1) faults.push("nobody is in sync");
    return faults;
  }
}
