import { assert } from "@mantou/base";
import type { ClassicGroup } from "./classic-group.ts";

/** What holds between the steps of the shard. */
export function checkClassicGroup(group: ClassicGroup): void {
  let joining = 0;
  for (const [memberId, member] of group.members) {
    assert(member.memberId === memberId, "a member is found by its id");
    assert(!group.pendingMembers.has(memberId), "a member is no longer awaited");
    const instance = member.groupInstanceId;
    if (instance !== null) {
      assert(group.memberIdOf(instance) === memberId, "an instance id has one holder");
    }
    if (member.join !== null) joining++;
    assert(member.join === null || member.sync === null, "a member waits for one thing");
    assert(!member.isNew || member.join !== null, "a new member waits for its first round");
    const isSpared = member.join !== null || member.sync !== null;
    assert(member.armedMs > 0 || isSpared, "a session has a timer");
    assert(member.armedMs <= member.deadlineMs, "a session's timer is not late");
  }
  assert(joining === group.joiningCount, "joins are counted");
  assert(joining === 0 || group.state === "PreparingRebalance", "joins wait for a round");
  for (const memberId of group.pendingSync) {
    assert(group.members.has(memberId), "who must sync is a member");
  }
  checkState(group, joining);
}

function checkState(group: ClassicGroup, joining: number): void {
  const { members, leaderId } = group;
  assert((members.size === 0) === (leaderId === null), "a group with members has a leader");
  assert(leaderId === null || members.has(leaderId), "the leader is a member");
  const isPreparing = group.state === "PreparingRebalance";
  assert(isPreparing === group.isJoinTimed, "the wait for members has an end");
  switch (group.state) {
    case "Empty":
      assert(members.size === 0, "an empty group has no members");
      break;
    case "PreparingRebalance": {
      const isLater = group.stateBefore !== "Empty";
      const isOver = joining === members.size && group.pendingMembers.size === 0;
      assert(!(isLater && isOver), "a round ends when everybody has joined");
      break;
    }
    default:
      assert(members.size > 0, "a group with a generation has members");
      assert(group.protocolName !== null, "a generation has a protocol");
  }
  for (const member of members.values()) {
    const waits = member.sync !== null;
    assert(!waits || group.state === "CompletingRebalance", "syncs wait for the leader");
    assert(!waits || member.memberId !== leaderId, "the leader's sync is answered at once");
  }
}
