import { type Result, err, ok, unreachable } from "@mantou/base";
import type { Core, Leader } from "./core.ts";
import type { MembershipChange, Refusal } from "./inputs.ts";
import { appendOwn } from "./leader.ts";
import { encodeMembership, membership } from "./membership.ts";
import type { Membership, NodeId } from "./types.ts";

/**
 * Single-step membership changes (thesis chapter 4): any two majorities of the old and the new
 * voters share a node, since they differ by one. Two conditions: the one before is committed, and
 * so is an entry of the leader's own term (Ongaro's correction of 2015; without it two leaders
 * can change the membership in different ways and both commit).
 */
export function changeMembership(
  core: Core,
  leader: Leader,
  change: MembershipChange,
  now: number,
): Result<number, Refusal> {
  if (core.commit < leader.termStart) return err({ kind: "notReady" });
  const { latest, latestIndex } = core.memberships;
  if (latestIndex > core.commit) return err({ kind: "changeInProgress", index: latestIndex });
  const next = changed(latest, change);
  if (!next.ok) return next;
  if (change.type === "promote") {
    const behind = core.log.lastIndex - (leader.progress.get(change.id)?.match ?? 0);
    // A voter that has to catch up first would count in the majority and not answer (thesis 4.2.1).
    if (behind > core.options.promotionLagMax) {
      return err({ kind: "notCaughtUp", id: change.id, behind });
    }
  }
  return ok(appendOwn(core, leader, "config", [encodeMembership(next.value)], now));
}

function changed(now: Membership, change: MembershipChange): Result<Membership, Refusal> {
  const { id } = change;
  const isVoter = now.voters.includes(id);
  const isLearner = now.learners.includes(id);
  const voters = without(now.voters, id);
  const learners = without(now.learners, id);
  switch (change.type) {
    case "addLearner":
      if (isVoter || isLearner) return err({ kind: "alreadyMember", id });
      return ok(membership(voters, [...learners, id]));
    case "promote":
      if (isVoter) return err({ kind: "alreadyMember", id });
      if (!isLearner) return err({ kind: "notMember", id });
      return ok(membership([...voters, id], learners));
    case "demote":
      if (!isVoter) return err({ kind: isLearner ? "notVoter" : "notMember", id });
      if (voters.length === 0) return err({ kind: "lastVoter", id });
      return ok(membership(voters, [...learners, id]));
    case "remove":
      if (!isVoter && !isLearner) return err({ kind: "notMember", id });
      if (voters.length === 0) return err({ kind: "lastVoter", id });
      return ok(membership(voters, learners));
    default:
      return unreachable(change);
  }
}

const without = (ids: readonly NodeId[], id: NodeId): NodeId[] => ids.filter((i) => i !== id);
