import { unreachable } from "@mantou/base";
import type { ConsumerTimer } from "../commands.ts";
import type { Scope } from "../scope.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import { Journal } from "./journal.ts";
import type { ConsumerMember } from "./member.ts";
import { MemberState } from "./member.ts";
import { removeMembers } from "./membership.ts";
import { downgradeIfDue } from "./migration.ts";
import { isSessionOver } from "./timers.ts";
import { refreshGroup } from "./topic-changes.ts";

/** A deadline has passed. What it was set for may be over by now: then nothing happens. */
export function fireConsumerTimer(scope: Scope, command: ConsumerTimer): void {
  const group = scope.groups.get(command.groupId);
  if (!(group instanceof ConsumerGroup)) return;
  if (command.memberId === "") {
    refreshGroup(scope, group);
    return;
  }
  const member = group.member(command.memberId);
  if (member === undefined || !isOverdue(scope, group, member, command)) return;
  const journal = new Journal(scope, group);
  if (!downgradeIfDue(scope, journal, [member.memberId])) {
    removeMembers(scope, journal, [member.memberId]);
  }
  journal.flush();
}

function isOverdue(
  scope: Scope,
  group: ConsumerGroup,
  { memberId, current }: ConsumerMember,
  { timer, epoch }: ConsumerTimer,
): boolean {
  switch (timer) {
    case "session":
      return isSessionOver(scope, group, memberId);
    case "rebalance":
      return current.epoch === epoch && current.state === MemberState.UNREVOKED;
    case "join":
      return group.awaitedJoins.has(memberId);
    case "sync":
      return group.awaitedSyncs.has(memberId);
    case "assignment":
    case "regex":
      return false;
    default:
      return unreachable(timer);
  }
}
