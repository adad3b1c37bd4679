import type { Message } from "./messages.ts";
import type { Entry, HardState, NodeId, SnapshotMeta } from "./types.ts";

/**
 * One write to the local disk. Writes are carried out in the order in which they were handed out;
 * several may be under way. Within one: hard state first, then snapshot, truncation, entries; a
 * crash may leave any prefix of these steps. When it is on disk, `messages` may leave, and the
 * input `persisted` tells the core.
 */
export interface Persist {
  /** Counts up by one. */
  readonly ticket: number;
  readonly hardState: HardState | null;
  /** Replaces the whole log: drop every entry, the next one is `snapshot.index + 1`. */
  readonly snapshot: SnapshotMeta | null;
  /** Drop every entry at and above this index. */
  readonly truncateFrom: number | null;
  /** Append these. */
  readonly entries: readonly Entry[];
  /** Must not leave before this write, and all before it, are on disk. */
  readonly messages: readonly Message[];
}

export type RoleName = "follower" | "preCandidate" | "candidate" | "leader";

export interface RoleChange {
  readonly role: RoleName;
  readonly term: number;
  /** The leader of `term` as far as known. */
  readonly leader: NodeId | null;
}

/** Read once the state machine has applied `index`. */
export interface ReadState {
  readonly id: number;
  readonly index: number;
}

/** Everything that the core wants done. Handed over once; carry it out in this order. */
export interface Outbox {
  readonly persist: Persist | null;
  /** May leave at once. */
  readonly messages: readonly Message[];
  /** On disk now: the state machine restores from it before it applies `committed`. */
  readonly snapshotToInstall: SnapshotMeta | null;
  /** Committed and on the local disk; apply in order. Every kind, each index exactly once. */
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadState[];
  /** Leadership was lost before these could be confirmed. */
  readonly readsLost: readonly number[];
  /** Set when role, term or leader have changed since the last outbox. */
  readonly role: RoleChange | null;
  /** Step a `tick` at this time, or null: nothing is due. Replaces the earlier one. */
  readonly armDeadlineMs: number | null;
}
