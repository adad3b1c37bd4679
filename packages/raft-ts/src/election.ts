import { assert } from "@mantou/base";
import {
  type Core,
  becomeFollower,
  drawTimeoutMs,
  hardStateIsDurable,
  isElectable,
  leaderOf,
  send,
  setHardState,
} from "./core.ts";
import { becomeLeader, quorumHeardMs } from "./leader.ts";
import type {
  PreVoteRequest,
  PreVoteResponse,
  TimeoutNow,
  VoteRequest,
  VoteResponse,
} from "./messages.ts";
import { tally } from "./quorum.ts";
import type { NodeId } from "./types.ts";

/** The election deadline has passed, or the driver asked for an election. */
export function startElection(core: Core, now: number): void {
  assert(core.role.kind !== "leader", "a leader does not campaign");
  if (!isElectable(core)) return;
  // A lone voter disturbs nobody and has nobody to ask.
  if (otherVoters(core).length === 0) startCandidate(core, now, false);
  else startPreVote(core, now);
}

function startPreVote(core: Core, now: number): void {
  core.role = {
    kind: "preCandidate",
    votes: new Map([[core.options.id, true]]),
    deadlineMs: now + drawTimeoutMs(core),
  };
  for (const to of otherVoters(core)) {
    const { lastIndex, lastTerm } = core.log;
    const from = core.options.id;
    send(core, { type: "preVoteRequest", from, to, term: core.term + 1, lastIndex, lastTerm });
  }
}

/** Raft section 5.2. The requests hang from the write of the node's own vote. */
export function startCandidate(core: Core, now: number, transfer: boolean): void {
  setHardState(core, core.term + 1, core.options.id);
  core.role = { kind: "candidate", votes: new Map(), deadlineMs: now + drawTimeoutMs(core) };
  for (const to of otherVoters(core)) {
    const { lastIndex, lastTerm } = core.log;
    const { term, options } = core;
    send(core, { type: "voteRequest", from: options.id, to, term, lastIndex, lastTerm, transfer });
  }
}

const otherVoters = (core: Core): NodeId[] =>
  core.memberships.latest.voters.filter((id) => id !== core.options.id);

/**
 * A node that hears from a leader takes no part in elections, so that a member which was cut off
 * or removed cannot depose a leader that works (thesis sections 4.2.3 and 6.2).
 */
export function hasLease(core: Core, now: number): boolean {
  const { role, options } = core;
  if (role.kind === "leader") {
    return now - quorumHeardMs(core, role, now) < options.electionTimeoutMs;
  }
  return role.kind === "follower" && now - role.heardMs < options.electionTimeoutMs;
}

/** Changes nothing here: no term, no vote, no deadline. */
export function onPreVoteRequest(core: Core, message: PreVoteRequest, now: number): void {
  const granted =
    message.term > core.term &&
    !hasLease(core, now) &&
    core.log.isUpToDate(message.lastIndex, message.lastTerm);
  send(core, {
    type: "preVoteResponse",
    from: core.options.id,
    to: message.from,
    term: granted ? message.term : core.term,
    granted,
  });
}

export function onPreVoteResponse(core: Core, message: PreVoteResponse, now: number): void {
  if (!message.granted && message.term > core.term) {
    becomeFollower(core, message.term, null, now);
    return;
  }
  const { role } = core;
  if (role.kind !== "preCandidate") return;
  if (message.granted && message.term !== core.term + 1) return;
  role.votes.set(message.from, message.granted);
  switch (tally(core.memberships.latest.voters, role.votes)) {
    case "won":
      startCandidate(core, now, false);
      break;
    case "lost":
      becomeFollower(core, core.term, null, now);
      break;
    case "pending":
      break;
  }
}

/** Raft sections 5.2 and 5.4.1. The message's term is this node's. A grant leaves when on disk. */
export function onVoteRequest(core: Core, message: VoteRequest, now: number): void {
  const free = core.votedFor === null && leaderOf(core) === null;
  const granted =
    (free || core.votedFor === message.from) &&
    core.log.isUpToDate(message.lastIndex, message.lastTerm);
  if (granted) {
    setHardState(core, core.term, message.from);
    // Whoever voted waits a full timeout for the winner to speak.
    if (core.role.kind === "follower") core.role.deadlineMs = now + core.role.timeoutMs;
    else becomeFollower(core, core.term, null, now);
  }
  const { term, options } = core;
  send(core, { type: "voteResponse", from: options.id, to: message.from, term, granted });
}

export function onVoteResponse(core: Core, message: VoteResponse, now: number): void {
  if (core.role.kind !== "candidate") return;
  core.role.votes.set(message.from, message.granted);
  count(core, now);
}

/** Called when a write is complete: a candidate's own vote counts from then on. */
export function countOwnVote(core: Core, now: number): void {
  const { role, options } = core;
  if (role.kind !== "candidate" || role.votes.has(options.id)) return;
  if (!hardStateIsDurable(core)) return;
  assert(core.votedFor === options.id, "a candidate voted for itself");
  role.votes.set(options.id, true);
  count(core, now);
}

function count(core: Core, now: number): void {
  const { role } = core;
  // Nobody leads whose own vote, and with it the term, is not on disk.
  if (role.kind !== "candidate" || !role.votes.has(core.options.id)) return;
  switch (tally(core.memberships.latest.voters, role.votes)) {
    case "won":
      becomeLeader(core, now);
      break;
    case "lost":
      becomeFollower(core, core.term, null, now);
      break;
    case "pending":
      break;
  }
}

/** The leader hands over to this node (thesis section 3.10): no pre-vote, no waiting. */
export function onTimeoutNow(core: Core, message: TimeoutNow, now: number): void {
  if (core.role.kind !== "follower" || core.role.leader !== message.from) return;
  if (isElectable(core)) startCandidate(core, now, true);
}
