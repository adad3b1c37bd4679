import { ErrorCode } from "@mantou/protocol";
import type { JoinGroup } from "../commands.ts";
import type { Scope } from "../scope.ts";
import { answerJoin, joinError } from "./answers.ts";
import type { ClassicGroup } from "./classic-group.ts";
import type { ClassicMember, MemberProtocol } from "./classic-member.ts";
import { withoutDoubles } from "./classic-member.ts";

/** Version 0 has one timeout for both. */
const REBALANCE_TIMEOUT_SINCE = 1;

/** A join on its way to the round. */
export interface Joining {
  readonly ticket: number;
  readonly command: JoinGroup;
  readonly protocols: readonly MemberProtocol[];
  readonly rebalanceTimeoutMs: number;
}

export function readJoining(ticket: number, command: JoinGroup): Joining {
  const { request, version } = command;
  const hasOwn = version >= REBALANCE_TIMEOUT_SINCE && request.rebalanceTimeoutMs >= 0;
  return {
    ticket,
    command,
    protocols: withoutDoubles(request.protocols),
    rebalanceTimeoutMs: hasOwn ? request.rebalanceTimeoutMs : request.sessionTimeoutMs,
  };
}

/** The member waits for the round, with what it says of itself now. */
export function park(
  scope: Scope,
  group: ClassicGroup,
  member: ClassicMember,
  joining: Joining,
): void {
  const { request, version } = joining.command;
  // Kafka forgets a join that is overtaken by the same member's next, whose connection is usually
  // gone. Should it still be there, it is not left without an answer.
  answerJoin(scope, group, member, (parkedVersion) =>
    joinError(ErrorCode.REBALANCE_IN_PROGRESS, member.memberId, parkedVersion),
  );
  group.setProtocols(member, joining.protocols);
  member.rebalanceTimeoutMs = joining.rebalanceTimeoutMs;
  member.sessionTimeoutMs = request.sessionTimeoutMs;
  group.setJoin(member, { ticket: joining.ticket, version });
}
