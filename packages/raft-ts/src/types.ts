/** A member's id: an integer from 0 to 2^31 - 1, never used again for another disk. */
export type NodeId = number;

/**
 * `normal`: the application's bytes. `config`: a membership. `noop`: a leader's first entry, which
 * lets it commit what earlier leaders left behind (Raft section 5.4.2 and 8).
 */
export type EntryKind = "normal" | "config" | "noop";

/** One place in the log. Indices start at 1 and have no gaps. */
export interface Entry {
  readonly index: number;
  /** The leader's term in which it was proposed. */
  readonly term: number;
  readonly kind: EntryKind;
  /** Never changed after it was handed over, by either side. */
  readonly data: Uint8Array;
  /**
   * True when the same proposal goes on in the next entry. A proposal of several entries is atomic:
   * a log holds all of them or none. Whoever stores entries must keep this bit.
   */
  readonly continues: boolean;
}

/** What must survive a restart beside the log. Commit is not in it: it is learned again. */
export interface HardState {
  readonly term: number;
  /** Who got this node's vote in `term`, or null. */
  readonly votedFor: NodeId | null;
}

/** Who takes part. Both lists are sorted and disjoint. */
export interface Membership {
  /** Count for elections and commits. */
  readonly voters: readonly NodeId[];
  /** Receive the log, count for nothing. */
  readonly learners: readonly NodeId[];
}

/** Names a snapshot: it holds the effect of every entry up to and including `index`. */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly membership: Membership;
}

/** What a node finds on its disk. A fresh node gets it from `bootstrap`. */
export interface Restored {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  /** In order and without gaps; may begin at or below the snapshot's index. */
  readonly entries: readonly Entry[];
}
