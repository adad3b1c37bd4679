import type { Entry, NodeId, SnapshotMeta } from "./types.ts";

interface Addressed {
  readonly from: NodeId;
  readonly to: NodeId;
  /** The sender's term; for pre-votes the term that the candidate would use. */
  readonly term: number;
}

/** Asks whether an election could be won, without disturbing anyone (thesis section 9.6). */
export interface PreVoteRequest extends Addressed {
  readonly type: "preVoteRequest";
  readonly lastIndex: number;
  readonly lastTerm: number;
}

/** Granted: `term` is the request's. Refused: `term` is the answerer's own. */
export interface PreVoteResponse extends Addressed {
  readonly type: "preVoteResponse";
  readonly granted: boolean;
}

/** RequestVote (Raft section 5.2). Leaves after the candidate's own vote is on its disk. */
export interface VoteRequest extends Addressed {
  readonly type: "voteRequest";
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The leader asked for this election, so its lease does not speak against it (thesis 3.10). */
  readonly transfer: boolean;
}

/** A granted vote leaves after it is on disk. */
export interface VoteResponse extends Addressed {
  readonly type: "voteResponse";
  readonly granted: boolean;
}

/** AppendEntries (Raft section 5.3). Without entries it asks whether `prev` matches. */
export interface Append extends Addressed {
  readonly type: "append";
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
}

/**
 * Accepted: everything up to `index` is on the follower's disk and equals the leader's log.
 * Rejected: `index` is the `prevIndex` that did not match, and the hint is the follower's last
 * entry that may match, so that a whole term is skipped in one round trip.
 */
export interface AppendResponse extends Addressed {
  readonly type: "appendResponse";
  readonly accepted: boolean;
  readonly index: number;
  readonly hintIndex: number;
  readonly hintTerm: number;
}

/** Holds elections back, carries commit (no further than this follower is known to match). */
export interface Heartbeat extends Addressed {
  readonly type: "heartbeat";
  readonly commit: number;
  /** Counts up within a term; its echo confirms the reads that waited for it. */
  readonly round: number;
}

export interface HeartbeatResponse extends Addressed {
  readonly type: "heartbeatResponse";
  readonly round: number;
}

/**
 * InstallSnapshot (Raft section 7) by reference: the driver carries the bytes, in chunks of its
 * choice, and steps this message at the receiver once it holds all of them.
 */
export interface InstallSnapshot extends Addressed {
  readonly type: "installSnapshot";
  readonly snapshot: SnapshotMeta;
}

/** The receiver has everything: it should start an election now (thesis section 3.10). */
export interface TimeoutNow extends Addressed {
  readonly type: "timeoutNow";
}

export type Message =
  | PreVoteRequest
  | PreVoteResponse
  | VoteRequest
  | VoteResponse
  | Append
  | AppendResponse
  | Heartbeat
  | HeartbeatResponse
  | InstallSnapshot
  | TimeoutNow;
