import { type LogId, assert } from "@mantou/base";
import { InSyncSets } from "./in-sync-sets.ts";
import type {
  IsrChange,
  Membership,
  OpenedPartition,
  PartitionInput,
  PartitionOutbox,
  PartitionTableOptions,
} from "./partition-inputs.ts";
import { PartitionReads, Role } from "./partition-reads.ts";
import { stepPartitions } from "./partition-step.ts";

/** Bits of `marks`: what the next `take` has to tell of a partition. */
const Mark = { HIGH_WATERMARK: 1, EPOCHS: 2 } as const;

/**
 * All partitions of this broker and how far each has come. A protocol machine: inputs in (a
 * method each, or `step`), then `take` for what is to be done. The offsets of a partition:
 *
 *     logStart <= highWatermark <= durableEnd <= writtenEnd <= logEnd
 *
 * A leader assigns offsets up to `logEnd` at once, the engine reports `writtenEnd` (page cache)
 * and `durableEnd` (fsynced). The high watermark is the smallest durable end in the in-sync set,
 * so nobody ever reads a record that a crash can take back. It only rises.
 *
 * Roles: closed -> leader or follower, any number of times with a higher leader epoch each ->
 * closed. A failed log keeps its role and serves nothing until it is opened again.
 */
export class PartitionTable extends PartitionReads {
  private readonly inSync: InSyncSets;
  private marked: LogId[] = [];
  private lost: PartitionOutbox["lost"][number][] = [];

  /** @param nodeId this broker's. */
  constructor(
    private readonly nodeId: number,
    options: PartitionTableOptions = {},
  ) {
    super();
    this.inSync = new InSyncSets(nodeId, this.columns, options.replicaLagMaxMs ?? 30_000);
  }

  /** Any input by its name; the hot ones have methods. Times are monotonic milliseconds. */
  step(input: PartitionInput, nowMs: number): void {
    stepPartitions(this, input, nowMs);
  }

  /** Hands over what has gathered since the last call. */
  take(): PartitionOutbox {
    const highWatermarks: LogId[] = [];
    const epochs: LogId[] = [];
    for (const logId of this.marked) {
      const slot = this.columns.slotOf(logId);
      const mark = slot < 0 ? 0 : (this.columns.marks[slot] as number);
      if (mark !== 0) this.columns.marks[slot] = 0;
      if ((mark & Mark.HIGH_WATERMARK) !== 0) highWatermarks.push(logId);
      if ((mark & Mark.EPOCHS) !== 0) epochs.push(logId);
    }
    const outbox = { highWatermarks, epochs, isrChanges: this.inSync.proposals, lost: this.lost };
    this.marked = [];
    this.inSync.proposals = [];
    this.lost = [];
    return outbox;
  }

  /** A log was opened, or re-opened after a failure. What it holds is durable. */
  opened(logId: LogId, state: OpenedPartition, nowMs = 0): void {
    const { columns } = this;
    const { startOffset, endOffset } = state;
    assert(startOffset <= endOffset, "a log ends before it starts");
    const known = columns.slotOf(logId);
    const before = known < 0 ? 0 : (columns.highWatermarks[known] as number);
    const epochs = state.epochs ?? (known < 0 ? [] : this.history.entries(known));
    const slot = known < 0 ? columns.add(logId) : known;
    const remembered = Math.max(before, state.highWatermark ?? 0);
    if (remembered > endOffset) this.lost.push({ logId, highWatermark: remembered, endOffset });
    // A file from another life may know epochs that the controller does not.
    const believed = epochs.filter(({ epoch }) => epoch <= state.leaderEpoch);
    this.history.restore(slot, believed);
    this.history.truncateEnd(slot, endOffset);
    columns.failed[slot] = 0;
    columns.logStarts[slot] = startOffset;
    columns.logEnds[slot] = endOffset;
    columns.writtenEnds[slot] = endOffset;
    columns.durableEnds[slot] = endOffset;
    columns.highWatermarks[slot] = Math.max(startOffset, Math.min(remembered, endOffset));
    columns.corruptFroms[slot] = state.corruptFromOffset ?? Infinity;
    columns.roles[slot] = Role.FOLLOWER;
    columns.leaderEpochs[slot] = -1;
    this.leadership(logId, state.leader, state.leaderEpoch, state.membership, nowMs);
  }

  /** The partition is no longer held here. */
  closed(logId: LogId): void {
    const slot = this.columns.slotOf(logId);
    if (slot < 0) return;
    this.history.clear(slot);
    this.inSync.forget(logId, slot);
    this.columns.remove(logId);
  }

  /**
   * What the controller has committed. A higher leader epoch begins a new role; the same one may
   * bring a new in-sync set with a higher partition epoch; all else is old and ignored.
   */
  leadership(
    logId: LogId,
    leader: boolean,
    leaderEpoch: number,
    membership: Membership = { replicas: [this.nodeId], isr: [this.nodeId], partitionEpoch: 0 },
    nowMs = 0,
  ): void {
    const { columns } = this;
    const slot = this.slot(logId);
    const epochBefore = columns.leaderEpochs[slot] as number;
    if (leaderEpoch < epochBefore) return;
    const fresh = leaderEpoch > epochBefore;
    if (!fresh && membership.partitionEpoch <= (columns.partitionEpochs[slot] as number)) return;
    columns.leaderEpochs[slot] = leaderEpoch;
    columns.partitionEpochs[slot] = membership.partitionEpoch;
    columns.roles[slot] = leader ? Role.LEADER : Role.FOLLOWER;
    this.inSync.assign(slot, membership, nowMs);
    if (fresh && leader) {
      const logEnd = columns.logEnds[slot] as number;
      columns.epochStarts[slot] = logEnd;
      columns.epochUnsaved[slot] = this.history.assign(slot, leaderEpoch, logEnd) ? 1 : 0;
      this.inSync.begin(slot, nowMs);
    }
    if (leader) this.advance(logId, slot);
  }

  /** The leader gave offsets up to `endOffset` to records that go to the disk now. */
  appended(logId: LogId, endOffset: number): void {
    const { columns } = this;
    const slot = this.slot(logId);
    assert(columns.roles[slot] === Role.LEADER, "only a leader assigns offsets");
    assert(columns.failed[slot] === 0, "a failed log takes no records");
    assert(endOffset > (columns.logEnds[slot] as number), "offsets are given once");
    columns.logEnds[slot] = endOffset;
    if (columns.epochUnsaved[slot] === 1) {
      columns.epochUnsaved[slot] = 0;
      this.mark(logId, slot, Mark.EPOCHS);
    }
  }

  /** A follower stored a batch that its leader wrote in `batchEpoch`. */
  replicated(logId: LogId, baseOffset: number, endOffset: number, batchEpoch: number): void {
    const { columns } = this;
    const slot = this.slot(logId);
    assert(columns.roles[slot] === Role.FOLLOWER, "a leader does not replicate");
    assert(baseOffset >= (columns.logEnds[slot] as number), "a follower appends at its end");
    if (this.history.assign(slot, batchEpoch, baseOffset)) this.mark(logId, slot, Mark.EPOCHS);
    columns.logEnds[slot] = endOffset;
  }

  /** The page cache has everything below `endOffset`. False: nobody holds that log any more. */
  written(logId: LogId, endOffset: number): boolean {
    const { columns } = this;
    const slot = columns.slotOf(logId);
    if (slot < 0 || columns.failed[slot] === 1) return false;
    assert(endOffset <= (columns.logEnds[slot] as number), "more is written than was appended");
    if (endOffset > (columns.writtenEnds[slot] as number)) columns.writtenEnds[slot] = endOffset;
    return true;
  }

  /** Everything below `endOffset` is fsynced. False: nobody holds that log any more. */
  durable(logId: LogId, endOffset: number): boolean {
    const { columns } = this;
    if (!this.written(logId, endOffset)) return false;
    const slot = columns.slotOf(logId);
    if (endOffset <= (columns.durableEnds[slot] as number)) return true;
    columns.durableEnds[slot] = endOffset;
    if (columns.roles[slot] === Role.LEADER) this.advance(logId, slot);
    return true;
  }

  /**
   * A follower asks for what is behind `fetchedEnd` and has fsynced everything below `durableEnd`.
   * The caller has checked its leader epoch. Followers that are no replicas are not counted.
   */
  fetched(
    logId: LogId,
    nodeId: number,
    fetchedEnd: number,
    durableEnd: number,
    nowMs: number,
  ): void {
    const slot = this.slot(logId);
    if (this.columns.roles[slot] !== Role.LEADER) return;
    const place = this.inSync.report(slot, nodeId, fetchedEnd, durableEnd, nowMs);
    if (place < 0) return;
    this.advance(logId, slot);
    this.inSync.proposeJoin(logId, slot, place);
  }

  /** The leader's high watermark, as it came with fetched records. */
  leaderWatermark(logId: LogId, highWatermark: number): void {
    const slot = this.slot(logId);
    if (this.columns.roles[slot] !== Role.FOLLOWER) return;
    const durable = this.columns.durableEnds[slot] as number;
    this.raise(logId, slot, Math.min(highWatermark, durable));
  }

  /** The log was cut: nothing at or above `endOffset` is left. */
  truncated(logId: LogId, endOffset: number): void {
    const { columns } = this;
    const slot = this.slot(logId);
    assert(columns.roles[slot] === Role.FOLLOWER, "a leader does not cut its log");
    const committed = columns.highWatermarks[slot] as number;
    assert(endOffset >= committed, `cut at ${endOffset}, committed up to ${committed}`);
    for (const ends of [columns.logEnds, columns.writtenEnds, columns.durableEnds]) {
      ends[slot] = Math.min(ends[slot] as number, endOffset);
    }
    if (this.history.truncateEnd(slot, endOffset)) this.mark(logId, slot, Mark.EPOCHS);
  }

  /** Records below `startOffset` were deleted, by retention or by request. */
  trimmed(logId: LogId, startOffset: number): void {
    const { columns } = this;
    const slot = this.slot(logId);
    if (startOffset <= (columns.logStarts[slot] as number)) return;
    assert(startOffset <= (columns.logEnds[slot] as number), "a log starts behind its end");
    columns.logStarts[slot] = startOffset;
    if (this.history.truncateStart(slot, startOffset)) this.mark(logId, slot, Mark.EPOCHS);
    this.raise(logId, slot, startOffset);
  }

  /**
   * The controller has refused this proposal and it can no longer come into force. Never to be
   * called for one that was merely not answered: it may have been committed.
   */
  isrRefused(change: IsrChange): void {
    const { logId } = change;
    const slot = this.columns.slotOf(logId);
    if (slot < 0 || this.columns.roles[slot] !== Role.LEADER) return;
    if (this.inSync.withdraw(slot, change)) this.advance(logId, slot);
  }

  /** A write failed. Nothing is known of what was under way; the log must be opened again. */
  failed(logId: LogId): void {
    const slot = this.columns.slotOf(logId);
    if (slot >= 0) this.columns.failed[slot] = 1;
  }

  /** Time passes: followers that have not been current for too long are proposed to leave. */
  tick(nowMs: number): void {
    if (!this.inSync.isUsed) return;
    for (const [logId, slot] of this.columns.openSlots()) {
      if (this.columns.roles[slot] === Role.LEADER) this.inSync.proposeLeaves(logId, slot, nowMs);
    }
  }

  private advance(logId: LogId, slot: number): void {
    this.raise(logId, slot, this.inSync.durableEnd(slot));
  }

  private raise(logId: LogId, slot: number, highWatermark: number): void {
    const { highWatermarks } = this.columns;
    if (highWatermark <= (highWatermarks[slot] as number)) return;
    highWatermarks[slot] = highWatermark;
    this.mark(logId, slot, Mark.HIGH_WATERMARK);
  }

  private mark(logId: LogId, slot: number, bit: number): void {
    const { marks } = this.columns;
    if (marks[slot] === 0) this.marked.push(logId);
    marks[slot] = (marks[slot] as number) | bit;
  }
}
