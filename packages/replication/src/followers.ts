import { assert } from "@mantou/base";

/** A slot without a follower. */
const NOBODY = -1;

/** What the leader knows of the place `at`; bits of `flags`. */
export const FollowerFlag = {
  /** In the in-sync set that the controller has committed. */
  IN_SYNC: 1,
  /** In the in-sync set that has been proposed and is not decided yet. */
  PROPOSED: 2,
} as const;

/**
 * What leaders know of their followers, a column per property, `width` places to a partition.
 * With replication factor 1 everywhere the width is 0 and nothing is held at all.
 */
export class Followers {
  width = 0;
  nodeIds = new Int32Array(0);
  flags = new Uint8Array(0);
  /** End of what the follower has fsynced. */
  durableEnds = new Float64Array(0);
  /** The leader's log end at `markMs`; once it is durable, the follower was current at `markMs`. */
  markEnds = new Float64Array(0);
  markMs = new Float64Array(0);
  caughtUpMs = new Float64Array(0);
  private slots = 0;

  /** The place of a follower in the columns, or -1. */
  find(slot: number, nodeId: number): number {
    const from = slot * this.width;
    for (let at = from; at < from + this.width; at += 1) {
      if (this.nodeIds[at] === nodeId) return at;
    }
    return -1;
  }

  /** Names a partition's followers. What is known of those who stay is kept. */
  assign(slot: number, nodeIds: readonly number[], startOffset: number, nowMs: number): void {
    this.reserve(slot + 1, nodeIds.length);
    const from = slot * this.width;
    const known = new Map<number, number[]>();
    for (let at = from; at < from + this.width; at += 1) {
      const nodeId = this.nodeIds[at] as number;
      if (nodeId !== NOBODY)
        known.set(
          nodeId,
          this.columns().map((column) => column[at] as number),
        );
      this.nodeIds[at] = NOBODY;
      this.flags[at] = 0;
    }
    for (const [index, nodeId] of nodeIds.entries()) {
      assert(nodeId >= 0, "node ids are not negative");
      const at = from + index;
      const values = known.get(nodeId) ?? [0, startOffset, Infinity, nowMs, nowMs];
      this.nodeIds[at] = nodeId;
      for (const [which, column] of this.columns().entries()) column[at] = values[which] as number;
    }
  }

  /** Forgets what followers told in an earlier leader epoch. */
  reset(slot: number, startOffset: number, logEnd: number, nowMs: number): void {
    const from = slot * this.width;
    for (let at = from; at < from + this.width; at += 1) {
      this.durableEnds[at] = startOffset;
      this.markEnds[at] = logEnd;
      this.markMs[at] = nowMs;
      // A new leader gives everybody the whole time to show up.
      this.caughtUpMs[at] = nowMs;
    }
  }

  clear(slot: number): void {
    const from = slot * this.width;
    this.nodeIds.fill(NOBODY, from, from + this.width);
    this.flags.fill(0, from, from + this.width);
  }

  private columns(): (Uint8Array | Float64Array)[] {
    return [this.flags, this.durableEnds, this.markEnds, this.markMs, this.caughtUpMs];
  }

  private reserve(slots: number, width: number): void {
    const newWidth = Math.max(width, this.width);
    const newSlots = slots <= this.slots ? this.slots : Math.max(slots, this.slots * 2, 64);
    if (newWidth === this.width && newSlots === this.slots) return;
    const spread = <T extends Int32Array | Uint8Array | Float64Array>(from: T, to: T): T => {
      for (let slot = 0; slot < this.slots; slot += 1) {
        for (let place = 0; place < this.width; place += 1) {
          to[slot * newWidth + place] = from[slot * this.width + place] as number;
        }
      }
      return to;
    };
    const size = newSlots * newWidth;
    this.nodeIds = spread(this.nodeIds, new Int32Array(size).fill(NOBODY));
    this.flags = spread(this.flags, new Uint8Array(size));
    this.durableEnds = spread(this.durableEnds, new Float64Array(size));
    this.markEnds = spread(this.markEnds, new Float64Array(size));
    this.markMs = spread(this.markMs, new Float64Array(size));
    this.caughtUpMs = spread(this.caughtUpMs, new Float64Array(size));
    this.width = newWidth;
    this.slots = newSlots;
  }
}
