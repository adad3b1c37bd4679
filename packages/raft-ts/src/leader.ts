import { assert } from "@mantou/base";
import { type Core, type Leader, becomeFollower, isVoter } from "./core.ts";
import { entryBytes } from "./log.ts";
import { peersOf } from "./membership.ts";
import type { AppendResponse, HeartbeatResponse } from "./messages.ts";
import { Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import { Reads, confirmReads, startRound } from "./read-index.ts";
import { broadcastAppend, fillPipeline, sendAppend } from "./replicate.ts";
import { finishTransfer, handOver } from "./transfer.ts";
import type { Entry, EntryKind } from "./types.ts";

/** Raft section 5.2: elected. Its first entry is a no-op, so that it can commit (section 8). */
export function becomeLeader(core: Core, now: number): void {
  assert(core.role.kind === "candidate", "only a candidate is elected");
  const leader: Leader = {
    kind: "leader",
    termStart: core.log.lastIndex + 1,
    progress: new Map(),
    reads: new Reads(),
    heartbeatDeadlineMs: now + core.options.heartbeatMs,
    round: 0,
    transfer: null,
    uncommittedBytes: sumBytes(core.log.slice(core.commit + 1, core.log.lastIndex)),
  };
  core.role = leader;
  followMembership(core, leader, now);
  appendOwn(core, leader, "noop", [new Uint8Array(0)], now);
}

const sumBytes = (entries: readonly Entry[]): number =>
  entries.reduce((sum, entry) => sum + entryBytes(entry), 0);

/** Progress for exactly the other members of the latest membership. */
function followMembership(core: Core, leader: Leader, now: number): void {
  const peers = peersOf(core.memberships.latest, core.options.id);
  for (const id of leader.progress.keys()) if (!peers.includes(id)) leader.progress.delete(id);
  for (const id of peers) {
    if (!leader.progress.has(id)) {
      leader.progress.set(id, new Progress(core.log.lastIndex + 1, now));
    }
  }
  const { transfer } = leader;
  if (transfer !== null && !core.memberships.latest.voters.includes(transfer.to)) {
    leader.transfer = null;
  }
}

/** Appends one proposal to the leader's own log and sends it. Returns its last index. */
export function appendOwn(
  core: Core,
  leader: Leader,
  kind: EntryKind,
  data: readonly Uint8Array[],
  now: number,
): number {
  const { term, log } = core;
  const first = log.lastIndex + 1;
  const entries = data.map((bytes, at): Entry => {
    return { index: first + at, term, kind, data: bytes, continues: at < data.length - 1 };
  });
  log.append(entries);
  leader.uncommittedBytes += sumBytes(entries);
  if (kind === "config") {
    core.memberships.append(entries);
    followMembership(core, leader, now);
  }
  broadcastAppend(core, leader, now, false);
  // A smaller membership may have a majority already.
  if (kind === "config") advanceCommit(core, now);
  return log.lastIndex;
}

/** The highest index that is on the disks of a majority. Its own disk is one of them. */
export function quorumMatch(core: Core, leader: Leader): number {
  const self = core.options.id;
  const matches = core.memberships.latest.voters.map((id) =>
    id === self ? core.writes.stableIndex : (leader.progress.get(id) as Progress).match,
  );
  return quorumValue(matches);
}

/** The latest time since which a majority has been heard from. */
export function quorumHeardMs(core: Core, leader: Leader, now: number): number {
  const self = core.options.id;
  const times = core.memberships.latest.voters.map((id) =>
    id === self ? now : (leader.progress.get(id) as Progress).heardMs,
  );
  return quorumValue(times);
}

/**
 * Commits what a majority stores, but counts only entries of its own term: an older one may still
 * be overwritten although a majority has it (Raft section 5.4.2, figure 8).
 */
export function advanceCommit(core: Core, now: number): void {
  const leader = core.role;
  if (leader.kind !== "leader") return;
  const index = quorumMatch(core, leader);
  if (index <= core.commit || core.log.termAt(index) !== core.term) return;
  leader.uncommittedBytes -= sumBytes(core.log.slice(core.commit + 1, index));
  core.commit = index;
  broadcastAppend(core, leader, now, true);
  confirmReads(core, leader);
  if (core.memberships.latestIndex <= core.commit && !isVoter(core)) {
    // It has led until its own removal was committed (thesis section 4.2.2).
    handOver(core, leader);
    becomeFollower(core, core.term, null, now);
  }
}

export function onAppendResponse(core: Core, message: AppendResponse, now: number): string | null {
  const leader = core.role;
  const progress = leader.kind === "leader" ? leader.progress.get(message.from) : undefined;
  if (leader.kind !== "leader" || progress === undefined) return null;
  if (message.index > core.log.lastIndex) return "an answer about entries that were never sent";
  progress.heardMs = now;
  if (!message.accepted) {
    const guess = core.log.lastIndexNotAbove(message.hintIndex, message.hintTerm);
    if (progress.rejected(message.index, guess + 1)) {
      sendAppend(core, message.from, progress, now, true);
    }
    return null;
  }
  const old = message.index < progress.match;
  progress.accepted(message.index);
  const usable = progress.match >= core.log.firstIndex - 1;
  if (!old && progress.state !== "replicate" && usable) progress.becomeReplicate();
  advanceCommit(core, now);
  // The commit may have ended this leadership.
  if (core.role !== leader) return null;
  fillPipeline(core, message.from, progress, now);
  finishTransfer(core, leader, message.from, progress);
  return null;
}

export function onHeartbeatResponse(core: Core, message: HeartbeatResponse, now: number): void {
  const leader = core.role;
  const progress = leader.kind === "leader" ? leader.progress.get(message.from) : undefined;
  if (leader.kind !== "leader" || progress === undefined) return;
  progress.heardMs = now;
  progress.probeSent = false;
  progress.roundEchoed = Math.max(progress.roundEchoed, Math.min(message.round, leader.round));
  // Something that was sent may have been lost: an append, empty if the pipeline is full, finds out.
  if (progress.match < core.log.lastIndex || progress.state === "probe") {
    sendAppend(core, message.from, progress, now, true);
  }
  confirmReads(core, leader);
}

/** The heartbeat deadline has passed: check the quorum, then hold elections back. */
export function leaderTick(core: Core, leader: Leader, now: number): void {
  if (now - quorumHeardMs(core, leader, now) >= core.options.electionTimeoutMs) {
    // Others may have elected someone; whoever asks here must not wait forever (thesis 6.2).
    becomeFollower(core, core.term, null, now);
    return;
  }
  if (leader.transfer !== null && now >= leader.transfer.deadlineMs) leader.transfer = null;
  for (const progress of leader.progress.values()) {
    if (progress.state === "snapshot" && now >= progress.snapshotDeadlineMs) progress.becomeProbe();
  }
  leader.heartbeatDeadlineMs = now + core.options.heartbeatMs;
  startRound(core, leader);
}
