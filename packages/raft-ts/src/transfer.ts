import { type Result, err, ok } from "@mantou/base";
import { type Core, type Leader, send } from "./core.ts";
import type { Refusal } from "./inputs.ts";
import type { Progress } from "./progress.ts";
import { fillPipeline } from "./replicate.ts";
import type { NodeId } from "./types.ts";

/**
 * Hands leadership to another voter (thesis section 3.10): stop taking proposals, bring it up to
 * date, tell it to start an election. Given up after one election timeout.
 */
export function startTransfer(
  core: Core,
  leader: Leader,
  to: NodeId,
  now: number,
): Result<number, Refusal> {
  if (to === core.options.id) return ok(core.commit);
  const progress = leader.progress.get(to);
  if (progress === undefined) return err({ kind: "notMember", id: to });
  if (!core.memberships.latest.voters.includes(to)) return err({ kind: "notVoter", id: to });
  leader.transfer = { to, deadlineMs: now + core.options.electionTimeoutMs };
  fillPipeline(core, to, progress, now);
  finishTransfer(core, leader, to, progress);
  return ok(core.commit);
}

/** Called when `from` has stored more. */
export function finishTransfer(core: Core, leader: Leader, from: NodeId, progress: Progress): void {
  if (leader.transfer?.to !== from || progress.match < core.log.lastIndex) return;
  sendTimeoutNow(core, from);
}

/** A leader that leaves for good names whoever has most of the log. */
export function handOver(core: Core, leader: Leader): void {
  const candidates = core.memberships.latest.voters
    .map((id) => ({ id, match: leader.progress.get(id)?.match ?? 0 }))
    .sort((a, b) => b.match - a.match);
  const best = candidates[0];
  if (best !== undefined) sendTimeoutNow(core, best.id);
}

function sendTimeoutNow(core: Core, to: NodeId): void {
  send(core, { type: "timeoutNow", from: core.options.id, to, term: core.term });
}
