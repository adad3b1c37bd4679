import type { LogId } from "@mantou/base";
import { FollowerFlag, Followers } from "./followers.ts";
import type { PartitionColumns } from "./partition-columns.ts";
import type { IsrChange, Membership } from "./partition-inputs.ts";

/**
 * Which replicas count for the high watermark of the partitions led here, and who should. The
 * controller decides; a leader proposes, one change at a time for each partition (KIP-497).
 */
export class InSyncSets {
  proposals: IsrChange[] = [];
  private readonly followers = new Followers();

  constructor(
    private readonly nodeId: number,
    private readonly columns: PartitionColumns,
    private readonly replicaLagMaxMs: number,
  ) {}

  /** False while no partition has a follower: nothing here has anything to do. */
  get isUsed(): boolean {
    return this.followers.width > 0;
  }

  /** Takes what the controller has committed. A proposal that is not decided yet is void. */
  assign(slot: number, membership: Membership, nowMs: number): void {
    const { columns, followers } = this;
    const others = membership.replicas.filter((nodeId) => nodeId !== this.nodeId);
    columns.inSyncCounts[slot] = Math.max(membership.isr.length, 1);
    columns.isrPending[slot] = 0;
    if (others.length === 0 && !this.isUsed) return;
    followers.assign(slot, others, columns.logStarts[slot] as number, nowMs);
    for (const nodeId of others) {
      const at = followers.find(slot, nodeId);
      followers.flags[at] = membership.isr.includes(nodeId) ? FollowerFlag.IN_SYNC : 0;
    }
  }

  /** A new leadership begins: what followers told an earlier leader does not count. */
  begin(slot: number, nowMs: number): void {
    const { logEnds, logStarts } = this.columns;
    this.followers.reset(slot, logStarts[slot] as number, logEnds[slot] as number, nowMs);
  }

  forget(logId: LogId, slot: number): void {
    this.followers.clear(slot);
    this.proposals = this.proposals.filter((change) => change.logId !== logId);
  }

  /** The smallest durable end of this node and of all who are, or may be by now, in sync. */
  durableEnd(slot: number): number {
    const { followers } = this;
    let end = this.columns.durableEnds[slot] as number;
    const from = slot * followers.width;
    for (let at = from; at < from + followers.width; at += 1) {
      // A proposed set may already be in force: whoever is in either set counts.
      if ((followers.flags[at] as number) === 0) continue;
      end = Math.min(end, followers.durableEnds[at] as number);
    }
    return end;
  }

  /** Takes a follower's report. Returns its place, or -1 when it is no replica. */
  report(
    slot: number,
    nodeId: number,
    fetchedEnd: number,
    durableEnd: number,
    nowMs: number,
  ): number {
    const { followers } = this;
    const at = followers.find(slot, nodeId);
    if (at < 0) return -1;
    const logEnd = this.columns.logEnds[slot] as number;
    // Not below what it told before: fetches of one follower may overtake each other.
    const told = Math.min(durableEnd, fetchedEnd, logEnd);
    const durable = Math.max(followers.durableEnds[at] as number, told);
    followers.durableEnds[at] = durable;
    if (durable >= (followers.markEnds[at] as number)) {
      followers.caughtUpMs[at] = followers.markMs[at] as number;
      followers.markEnds[at] = logEnd;
      followers.markMs[at] = nowMs;
    }
    if (durable >= logEnd) followers.caughtUpMs[at] = nowMs;
    return at;
  }

  /**
   * A follower joins the in-sync set once it has fsynced everything that is committed and
   * everything that was in the log when this leadership began.
   */
  proposeJoin(logId: LogId, slot: number, at: number): void {
    const { columns, followers } = this;
    if (columns.isrPending[slot] === 1 || (followers.flags[at] as number) !== 0) return;
    const durable = followers.durableEnds[at] as number;
    if (durable < (columns.highWatermarks[slot] as number)) return;
    if (durable < (columns.epochStarts[slot] as number)) return;
    followers.flags[at] = FollowerFlag.PROPOSED;
    this.propose(
      logId,
      slot,
      this.members(slot, (place) => (followers.flags[place] as number) > 0),
    );
  }

  /** Proposes to go on without those that have not been current for too long. */
  proposeLeaves(logId: LogId, slot: number, nowMs: number): void {
    const { followers } = this;
    if (this.columns.isrPending[slot] === 1) return;
    const inSync = (place: number): boolean =>
      ((followers.flags[place] as number) & FollowerFlag.IN_SYNC) !== 0;
    const isCurrent = (place: number): boolean =>
      nowMs - (followers.caughtUpMs[place] as number) <= this.replicaLagMaxMs;
    const isr = this.members(slot, (place) => inSync(place) && isCurrent(place));
    if (isr.length < this.members(slot, inSync).length) this.propose(logId, slot, isr);
  }

  /**
   * The proposal will not come into force. False when it is not the one that is under way: an
   * answer to an earlier proposal must not make the watermark forget who may be in sync by now.
   */
  withdraw(slot: number, change: IsrChange): boolean {
    const { columns, followers } = this;
    const isCurrent =
      columns.isrPending[slot] === 1 &&
      change.leaderEpoch === columns.leaderEpochs[slot] &&
      change.partitionEpoch === columns.partitionEpochs[slot];
    if (!isCurrent) return false;
    columns.isrPending[slot] = 0;
    const from = slot * followers.width;
    for (let at = from; at < from + followers.width; at += 1) {
      followers.flags[at] = (followers.flags[at] as number) & FollowerFlag.IN_SYNC;
    }
    return true;
  }

  private members(slot: number, counts: (place: number) => boolean): number[] {
    const members = [this.nodeId];
    const from = slot * this.followers.width;
    for (let at = from; at < from + this.followers.width; at += 1) {
      if (counts(at)) members.push(this.followers.nodeIds[at] as number);
    }
    return members;
  }

  private propose(logId: LogId, slot: number, isr: readonly number[]): void {
    const { columns } = this;
    columns.isrPending[slot] = 1;
    this.proposals.push({
      logId,
      isr,
      leaderEpoch: columns.leaderEpochs[slot] as number,
      partitionEpoch: columns.partitionEpochs[slot] as number,
    });
  }
}
