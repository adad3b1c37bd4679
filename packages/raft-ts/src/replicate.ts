import { type Core, type Leader, send } from "./core.ts";
import { entryBytes } from "./log.ts";
import type { Progress } from "./progress.ts";
import type { NodeId } from "./types.ts";

/** Sends everyone what they lack; `always` also an empty message, which carries the commit. */
export function broadcastAppend(core: Core, leader: Leader, now: number, always: boolean): void {
  for (const [to, progress] of leader.progress) {
    sendAppend(core, to, progress, now, always);
  }
}

/** Sends to one follower while it lacks something and its bounds allow. */
export function fillPipeline(core: Core, to: NodeId, progress: Progress, now: number): void {
  while (sendAppend(core, to, progress, now, false)) continue;
  if (progress.commitSent < Math.min(core.commit, progress.match)) {
    sendAppend(core, to, progress, now, true);
  }
}

/**
 * One append message, if this follower may get one now; a snapshot when what it needs is gone.
 * Returns whether entries were sent. `always`: without entries too, also when the pipeline is full.
 */
export function sendAppend(
  core: Core,
  to: NodeId,
  progress: Progress,
  now: number,
  always: boolean,
): boolean {
  const { log, options } = core;
  if (progress.state === "snapshot" || progress.probeSent) return false;
  const prevIndex = progress.next - 1;
  const prevTerm = log.termAt(prevIndex);
  if (prevTerm === null) {
    sendSnapshot(core, to, progress, now);
    return false;
  }
  const full =
    progress.state === "replicate" &&
    progress.isFull(options.inflightMessagesMax, options.inflightBytesMax);
  const entries = full ? [] : log.sliceBytes(progress.next, options.messageBytesMax);
  if (entries.length === 0 && !always) return false;
  const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  progress.sent(entries.length, bytes);
  progress.commitSent = Math.max(progress.commitSent, core.commit);
  const { term, commit } = core;
  const from = options.id;
  send(core, { type: "append", from, to, term, prevIndex, prevTerm, entries, commit });
  return entries.length > 0 && !progress.probeSent;
}

/** Only to a follower that answers: bytes for one that is gone would be wasted. */
function sendSnapshot(core: Core, to: NodeId, progress: Progress, now: number): void {
  if (now - progress.heardMs >= core.options.electionTimeoutMs) return;
  const { term, snapshot, options } = core;
  progress.becomeSnapshot(snapshot.index, now + options.snapshotTimeoutMs);
  send(core, { type: "installSnapshot", from: options.id, to, term, snapshot });
}

/** One heartbeat to everyone, with the leader's current round. */
export function broadcastHeartbeat(core: Core, leader: Leader): void {
  for (const [to, progress] of leader.progress) {
    // No further than the follower is known to match: it needs no check of its log.
    const commit = Math.min(core.commit, progress.match);
    progress.commitSent = Math.max(progress.commitSent, commit);
    const { term, options } = core;
    send(core, { type: "heartbeat", from: options.id, to, term, commit, round: leader.round });
  }
}
