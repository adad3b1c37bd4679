import type { Prng } from "@mantou/base";
import type { RaftLog } from "./log.ts";
import type { Memberships } from "./membership.ts";
import type { Message } from "./messages.ts";
import type { Options } from "./options.ts";
import type { ReadState } from "./outbox.ts";
import type { Progress } from "./progress.ts";
import type { Reads } from "./read-index.ts";
import type { NodeId, SnapshotMeta } from "./types.ts";
import type { Writes } from "./writes.ts";

/**
 * The roles and every way between them. (Raft figure 4, with pre-vote and check-quorum.)
 *
 *   follower ── deadline, or campaign ─────────────▶ preCandidate
 *   follower ── timeoutNow from the leader ────────▶ candidate (transfer)
 *   preCandidate ── a majority would vote ─────────▶ candidate (next term, votes for itself)
 *   preCandidate ── a majority refuses ────────────▶ follower
 *   candidate ── a majority voted, itself included ▶ leader (same term)
 *   candidate ── deadline ─────────────────────────▶ preCandidate
 *   candidate ── a majority refuses ───────────────▶ follower
 *   preCandidate, candidate ── leader of this term ▶ follower
 *   leader ── no majority heard for T ─────────────▶ follower (check-quorum)
 *   leader ── removed, and that is committed ──────▶ follower
 *   any ── message of a higher term ───────────────▶ follower (that term)
 *
 * The only voter needs no pre-vote: follower ─▶ candidate ─▶ leader when its own vote is on disk.
 * A node that is not electable stays a follower: it has no deadline.
 */
export type Role = Follower | PreCandidate | Candidate | Leader;

export interface Follower {
  readonly kind: "follower";
  readonly leader: NodeId | null;
  /** When the leader last spoke; -Infinity when there is none. */
  heardMs: number;
  /** Drawn once per stay in the role. */
  readonly timeoutMs: number;
  deadlineMs: number;
}

export interface PreCandidate {
  readonly kind: "preCandidate";
  readonly votes: Map<NodeId, boolean>;
  readonly deadlineMs: number;
}

export interface Candidate {
  readonly kind: "candidate";
  /** Its own vote enters when it is on disk. */
  readonly votes: Map<NodeId, boolean>;
  readonly deadlineMs: number;
}

export interface Leader {
  readonly kind: "leader";
  /** The index of its no-op: once that is committed, everything before it is. */
  readonly termStart: number;
  /** Every other member. */
  readonly progress: Map<NodeId, Progress>;
  readonly reads: Reads;
  heartbeatDeadlineMs: number;
  /** Counts heartbeat broadcasts. */
  round: number;
  transfer: { readonly to: NodeId; readonly deadlineMs: number } | null;
  uncommittedBytes: number;
}

/**
 * The state of one node, as plain data; the files beside this one change it. What is in `writes`
 * is about the disk, `messages` to `readsLost` leave with the next outbox, the rest is Raft's.
 */
export interface Core {
  readonly options: Options;
  readonly random: Prng;
  readonly log: RaftLog;
  readonly memberships: Memberships;
  readonly writes: Writes;
  term: number;
  votedFor: NodeId | null;
  role: Role;
  /** The latest snapshot on disk (or on its way there, see `installing`). */
  snapshot: SnapshotMeta;
  /** A leader's snapshot whose write is not complete: nothing is applied meanwhile. */
  installing: SnapshotMeta | null;
  /** applied <= commit <= log.lastIndex. */
  commit: number;
  /** Handed to the state machine. */
  applied: number;
  messages: Message[];
  snapshotToInstall: SnapshotMeta | null;
  reads: ReadState[];
  readsLost: number[];
}

export const isVoter = (core: Core): boolean =>
  core.memberships.latest.voters.includes(core.options.id);

/**
 * A voter may be elected; so may one whose removal is in its log but not known to be committed. It
 * may be the only one that has that entry, and then nobody else can win (thesis figure 4.6). The
 * membership before the latest is committed, since they change one at a time.
 */
export function isElectable(core: Core): boolean {
  const { memberships, commit, options } = core;
  if (isVoter(core)) return true;
  return memberships.latestIndex > commit && memberships.previous.voters.includes(options.id);
}

export const drawTimeoutMs = (core: Core): number =>
  core.options.electionTimeoutMs + core.random.below(core.options.electionTimeoutMs);

export function leaderOf(core: Core): NodeId | null {
  if (core.role.kind === "leader") return core.options.id;
  return core.role.kind === "follower" ? core.role.leader : null;
}

/** Every change of term or vote goes through here; `take` turns it into a write. */
export function setHardState(core: Core, term: number, votedFor: NodeId | null): void {
  core.term = term;
  core.votedFor = votedFor;
}

/**
 * Moves to `term` as a follower. A follower that learns of a newer term from anyone but a leader
 * keeps its deadline: a candidate that cannot win must not hold back those that can.
 */
export function becomeFollower(core: Core, term: number, leader: NodeId | null, now: number): void {
  if (term !== core.term) setHardState(core, term, null);
  const old = core.role;
  if (old.kind === "leader") core.readsLost.push(...old.reads.dropAll());
  const keeps = old.kind === "follower" && leader === null;
  const timeoutMs = drawTimeoutMs(core);
  core.role = {
    kind: "follower",
    leader,
    heardMs: leader === null ? Number.NEGATIVE_INFINITY : now,
    timeoutMs,
    deadlineMs: keeps ? old.deadlineMs : now + timeoutMs,
  };
}

/** The leader of this term has spoken. */
export function hearLeader(core: Core, leader: NodeId, now: number): void {
  if (core.role.kind === "follower" && core.role.leader === leader) {
    core.role.heardMs = now;
    core.role.deadlineMs = now + core.role.timeoutMs;
    return;
  }
  becomeFollower(core, core.term, leader, now);
}

/** Sends at once, or hangs the message from the next write when it speaks of one. */
export function send(core: Core, message: Message): void {
  if (mustWait(core, message)) core.writes.hang(message);
  else core.messages.push(message);
}

/**
 * Persist before send. A leader's messages need no wait: its term is on disk, or it could not have
 * won, and its entries count for itself only when they are (thesis section 10.2.1).
 */
function mustWait(core: Core, message: Message): boolean {
  switch (message.type) {
    case "append":
    case "heartbeat":
    case "installSnapshot":
    case "timeoutNow":
      return false;
    case "appendResponse":
      return (
        !hardStateIsDurable(core) || (message.accepted && message.index > core.writes.stableIndex)
      );
    case "preVoteRequest":
    case "preVoteResponse":
    case "voteRequest":
    case "voteResponse":
    case "heartbeatResponse":
      return !hardStateIsDurable(core);
  }
}

export const hardStateIsDurable = (core: Core): boolean =>
  core.writes.isDurable({ term: core.term, votedFor: core.votedFor });
