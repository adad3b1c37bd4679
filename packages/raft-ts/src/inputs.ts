import type { Message } from "./messages.ts";
import type { NodeId, SnapshotMeta } from "./types.ts";

/** One voter at most changes its standing per change (thesis section 4.1). */
export type MembershipChange =
  | { readonly type: "addLearner"; readonly id: NodeId }
  /** A learner that has caught up becomes a voter. */
  | { readonly type: "promote"; readonly id: NodeId }
  /** A voter becomes a learner. */
  | { readonly type: "demote"; readonly id: NodeId }
  | { readonly type: "remove"; readonly id: NodeId };

export type Input =
  /** The armed deadline has passed. Too early is harmless. */
  | { readonly kind: "tick" }
  | { readonly kind: "message"; readonly message: Message }
  /** The write with this ticket, and every one before it, is on disk. */
  | { readonly kind: "persisted"; readonly ticket: number }
  /** One atomic proposal. Answer: the index of its last entry. */
  | { readonly kind: "propose"; readonly data: readonly Uint8Array[] }
  /** Asks for a linearizable read. `id` comes back in `reads` or `readsLost`. */
  | { readonly kind: "read"; readonly id: number }
  /** Answer: the index of the membership's entry. */
  | { readonly kind: "changeMembership"; readonly change: MembershipChange }
  | { readonly kind: "transfer"; readonly to: NodeId }
  /** Starts an election now (with a pre-vote), whatever the clock says. */
  | { readonly kind: "campaign" }
  /**
   * The snapshot is on disk, whole. Entries up to `compactTo` (at most its index) are let go.
   * Answer: the index below which and at which the log is gone.
   */
  | { readonly kind: "snapshotSaved"; readonly snapshot: SnapshotMeta; readonly compactTo: number }
  /** The driver could not bring the snapshot over to `to`. */
  | { readonly kind: "snapshotFailed"; readonly to: NodeId }
  /** The transport knows that messages to `to` were lost. */
  | { readonly kind: "unreachable"; readonly to: NodeId };

/** Why an input was not taken. Expected outcomes, so values; each is answered by the driver. */
export type Refusal =
  | { readonly kind: "notLeader"; readonly leader: NodeId | null }
  /** Too much is uncommitted, or too many reads wait. Try again. */
  | { readonly kind: "overloaded" }
  | { readonly kind: "tooLarge"; readonly bytes: number; readonly bytesMax: number }
  /** Leadership is on its way to another node. */
  | { readonly kind: "transferring"; readonly to: NodeId }
  /** The leader has not committed an entry of its own term yet. Try again. */
  | { readonly kind: "notReady" }
  /** Another membership change is not committed yet. */
  | { readonly kind: "changeInProgress"; readonly index: number }
  | { readonly kind: "alreadyMember"; readonly id: NodeId }
  | { readonly kind: "notMember"; readonly id: NodeId }
  | { readonly kind: "notVoter"; readonly id: NodeId }
  | { readonly kind: "lastVoter"; readonly id: NodeId }
  | { readonly kind: "notCaughtUp"; readonly id: NodeId; readonly behind: number }
  /** A snapshot report that is older than what is known, or for entries not applied. */
  | { readonly kind: "stale" }
  /** The disk is too far behind to take more. Counts as a lost message. */
  | { readonly kind: "busy" }
  /** A message that no correct peer sends. It was dropped. */
  | { readonly kind: "malformed"; readonly reason: string }
  /** A message that contradicts what is committed: some disk has lost data. It was dropped. */
  | { readonly kind: "violation"; readonly reason: string };
