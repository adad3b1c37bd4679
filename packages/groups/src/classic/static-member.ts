import { ErrorCode } from "@mantou/protocol";
import type { Scope } from "../scope.ts";
import { SKIP_ASSIGNMENT_SINCE, answerJoin, answerWith, joined } from "./answers.ts";
import type { ClassicGroup } from "./classic-group.ts";
import { ClassicMember } from "./classic-member.ts";
import type { Joining } from "./joining.ts";
import { park } from "./joining.ts";
import {
  completeJoinIfAllCame,
  prepareRebalance,
  rebalanceOrComplete,
  writeGroup,
} from "./rebalance.ts";
import { endSession, keepAlive } from "./session.ts";

/**
 * A static member's process was started anew: it has the instance id and no member id. It takes
 * the old process's place and assignment under a new member id; the old one, should it live
 * still, is fenced. A stable group stays stable, unless the protocols' choice changes.
 */
export function replaceStaticMember(
  scope: Scope,
  group: ClassicGroup,
  oldMemberId: string,
  memberId: string,
  joining: Joining,
): void {
  const old = group.members.get(oldMemberId);
  if (old === undefined) return;
  const leaderBefore = group.leaderId;
  answerWith(scope, group, old, ErrorCode.FENCED_INSTANCE_ID);
  endSession(scope, group, old);
  const member = new ClassicMember({
    memberId,
    groupInstanceId: old.groupInstanceId,
    clientId: joining.command.clientId,
    clientHost: joining.command.clientHost,
    rebalanceTimeoutMs: old.rebalanceTimeoutMs,
    sessionTimeoutMs: old.sessionTimeoutMs,
    protocols: old.protocols,
    assignment: old.assignment,
  });
  group.replace(old, member);
  park(scope, group, member, joining);
  keepAlive(scope, group, member);
  switch (group.state) {
    case "Stable":
      if (group.selectProtocol() === group.protocolName) {
        answerWithGeneration(scope, group, member, leaderBefore);
      } else {
        rebalanceOrComplete(scope, group);
      }
      return;
    case "CompletingRebalance":
      // The leader is dividing among ids of which one is gone: its answer would not fit.
      prepareRebalance(scope, group);
      return;
    default:
      completeJoinIfAllCame(scope, group);
  }
}

/**
 * No round: the member goes on in the present generation. A leader is told to skip the assignment
 * (KIP-814); of old it was kept from dividing by naming the old process as the leader.
 */
function answerWithGeneration(
  scope: Scope,
  group: ClassicGroup,
  member: ClassicMember,
  leaderBefore: string | null,
): void {
  writeGroup(scope, group);
  const isLeader = group.leaderId === member.memberId;
  answerJoin(scope, group, member, (version) =>
    version >= SKIP_ASSIGNMENT_SINCE
      ? joined(group, member, version, { members: isLeader, skipAssignment: isLeader })
      : joined(group, member, version, { members: false, leaderId: leaderBefore }),
  );
}
