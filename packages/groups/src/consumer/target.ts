import { assert } from "@mantou/base";
import type { AssignorMember, AssignorTopic } from "../assignors/index.ts";
import { ASSIGNORS, NO_PARTITIONS } from "../assignors/index.ts";
import type { Scope } from "../scope.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { Journal } from "./journal.ts";
import { isSameAssignment } from "./partitions.ts";

/** The assignor that most members ask for; the default where nobody does, and the first of equals. */
export function assignorName(scope: Scope, group: ConsumerGroup): string {
  const { assignors } = scope.settings.consumer;
  const votes = new Map<string, number>();
  for (const { metadata } of group.members.values()) {
    const name = metadata.serverAssignor;
    if (name !== null) votes.set(name, (votes.get(name) ?? 0) + 1);
  }
  let best = assignors[0] ?? "uniform";
  let most = 0;
  for (const name of assignors) {
    const count = votes.get(name) ?? 0;
    if (count > most) [best, most] = [name, count];
  }
  return best;
}

/** Raises the group's epoch: the target has to be computed anew. */
export function bumpEpoch(scope: Scope, journal: Journal): void {
  const { group } = journal;
  const hash = scope.topicKnowledge.groupHash(scope.context.topics, group);
  scope.counts.rebalances++;
  journal.setEpoch(group.groupEpoch + 1, hash);
}

/**
 * Computes the target of the group's epoch, where it is behind. Within the interval since the last
 * one it waits, so that members that come together are served by one computation (KIP-1263).
 */
export function refreshTarget(scope: Scope, journal: Journal): void {
  const { group } = journal;
  if (group.groupEpoch <= group.targetEpoch) return;
  const sinceMs = scope.now.wallMs - group.targetTimestampMs;
  const intervalMs = scope.settings.consumer.assignmentIntervalMs;
  const isEarly = group.targetEpoch > 0 && sinceMs >= 0 && sinceMs < intervalMs;
  // A group that had nobody to assign to does not make its first member wait.
  if (isEarly && group.targetAssignments.size > 0) return;
  computeTarget(scope, journal);
}

function computeTarget(scope: Scope, journal: Journal): void {
  const { group } = journal;
  const assignor = ASSIGNORS.get(assignorName(scope, group));
  assert(assignor !== undefined, "the settings name assignors that there are");
  const targets = assignor(assignorMembers(scope, group));
  for (const memberId of group.members.keys()) {
    const target = targets.get(memberId) ?? NO_PARTITIONS;
    const before = group.targetAssignments.get(memberId);
    if (before !== undefined && isSameAssignment(before, target)) continue;
    journal.setTarget(memberId, target);
  }
  journal.setTargetEpoch(group.groupEpoch);
}

function assignorMembers(scope: Scope, group: ConsumerGroup): AssignorMember[] {
  // Members that subscribe alike share one list, which lets assignors see that they do.
  const lists = new Map<string, readonly AssignorTopic[]>();
  const members: AssignorMember[] = [];
  for (const { memberId, metadata } of group.members.values()) {
    const { instanceId, rackId } = metadata;
    const key = `${metadata.subscribedRegex}\n${metadata.subscribedNames.join("\n")}`;
    let topics = lists.get(key);
    if (topics === undefined) {
      topics = scope.topicKnowledge.subscription(scope.context.topics, group, metadata);
      lists.set(key, topics);
    }
    members.push({ memberId, instanceId, rackId, topics, previous: group.targetOf(memberId) });
  }
  return members;
}
