import { assert } from "@mantou/base";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerMember } from "./member.ts";
import { MemberState } from "./member.ts";
import { partitionCount } from "./partitions.ts";

/** What holds of a group between any two steps. */
export function checkConsumerGroup(group: ConsumerGroup): void {
  assert(group.targetEpoch <= group.groupEpoch, "a target is not ahead of its group");
  let held = 0;
  let classic = 0;
  const instances = new Set<string>();
  for (const member of group.members.values()) {
    checkMember(group, member);
    held += partitionCount(member.current.assigned) + partitionCount(member.current.revoking);
    if (member.metadata.classic !== null) classic++;
    const { instanceId } = member.metadata;
    if (instanceId === null) continue;
    assert(!instances.has(instanceId), "an instance id has one member");
    instances.add(instanceId);
    assert(group.staticMember(instanceId) === member, "static members are found by instance id");
  }
  assert(classic === group.classicSize, "classic members are counted");
  let owned = 0;
  for (const [, , owner] of group.ownedPartitions()) {
    assert(group.member(owner) !== undefined, "who owns a partition is a member");
    owned++;
  }
  assert(owned === held, "each held partition has one owner");
  checkTarget(group);
}

function checkMember(group: ConsumerGroup, { memberId, current, metadata }: ConsumerMember): void {
  assert(current.epoch <= group.groupEpoch, "a member is not ahead of its group");
  const mustRevoke = current.revoking.size > 0;
  assert(
    !mustRevoke || current.state === MemberState.UNREVOKED,
    "only who has to revoke has something to revoke",
  );
  for (const partitions of [current.assigned, current.revoking]) {
    for (const [topicId, list] of partitions) {
      for (const partition of list) {
        const owner = group.ownerOf(topicId, partition);
        assert(owner === memberId, "what a member holds is its own");
        const since = current.since.get(topicId)?.get(partition);
        assert(since !== undefined, "what a member holds it has held since some epoch");
      }
    }
  }
  if (metadata.subscribedRegex === "") return;
  assert(group.usesRegex(metadata.subscribedRegex), "patterns in use are counted");
}

function checkTarget(group: ConsumerGroup): void {
  // A crash may have left half of a new target, which the next heartbeat computes again.
  if (group.targetEpoch < group.groupEpoch) return;
  const targeted = new Set<string>();
  for (const [memberId, target] of group.targetAssignments) {
    assert(group.member(memberId) !== undefined, "a target is a member's");
    for (const [topicId, list] of target) {
      for (const partition of list) {
        const key = `${topicId}-${partition}`;
        assert(!targeted.has(key), "a partition is in one target");
        targeted.add(key);
      }
    }
  }
}
