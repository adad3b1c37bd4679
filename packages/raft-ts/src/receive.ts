import { type Core, becomeFollower, hearLeader, leaderOf, send } from "./core.ts";
import {
  hasLease,
  onPreVoteRequest,
  onPreVoteResponse,
  onTimeoutNow,
  onVoteRequest,
  onVoteResponse,
} from "./election.ts";
import { onAppend, onHeartbeat, onInstallSnapshot } from "./follower.ts";
import { onAppendResponse, onHeartbeatResponse } from "./leader.ts";
import type { Append, Heartbeat, InstallSnapshot, Message } from "./messages.ts";

/**
 * The rules about terms (Raft section 5.1), then the message's own. Returns null, or what makes
 * the message a violation of the protocol.
 */
export function receive(core: Core, message: Message, now: number): string | null {
  // Pre-votes speak of a term that nobody has entered.
  if (message.type === "preVoteRequest") {
    onPreVoteRequest(core, message, now);
    return null;
  }
  if (message.type === "preVoteResponse") {
    onPreVoteResponse(core, message, now);
    return null;
  }
  if (message.term < core.term) {
    answerStale(core, message);
    return null;
  }
  if (message.term > core.term) {
    if (message.type === "voteRequest" && !message.transfer && hasLease(core, now)) return null;
    becomeFollower(core, message.term, isFromLeader(message) ? message.from : null, now);
  }
  switch (message.type) {
    case "append":
    case "heartbeat":
    case "installSnapshot":
      return fromLeader(core, message, now);
    case "voteRequest":
      onVoteRequest(core, message, now);
      return null;
    case "voteResponse":
      onVoteResponse(core, message, now);
      return null;
    case "appendResponse":
      return onAppendResponse(core, message, now);
    case "heartbeatResponse":
      onHeartbeatResponse(core, message, now);
      return null;
    case "timeoutNow":
      onTimeoutNow(core, message, now);
      return null;
  }
}

const isFromLeader = (message: Message): boolean =>
  message.type === "append" || message.type === "heartbeat" || message.type === "installSnapshot";

function fromLeader(
  core: Core,
  message: Append | Heartbeat | InstallSnapshot,
  now: number,
): string | null {
  if (core.role.kind === "leader") return "a second leader in this term";
  const known = leaderOf(core);
  if (known !== null && known !== message.from) return "a second leader in this term";
  hearLeader(core, message.from, now);
  switch (message.type) {
    case "append":
      return onAppend(core, message);
    case "heartbeat":
      return onHeartbeat(core, message);
    case "installSnapshot":
      return onInstallSnapshot(core, message);
  }
}

/**
 * The sender lives in an older term. A leader or a candidate learns the newer one from the answer;
 * without it, one that is cut off from everyone but us would go on for ever, and with pre-vote
 * nobody else would tell it.
 */
function answerStale(core: Core, message: Message): void {
  const { term, options } = core;
  const address = { from: options.id, to: message.from, term };
  if (message.type === "voteRequest") {
    send(core, { type: "voteResponse", ...address, granted: false });
  } else if (isFromLeader(message)) {
    send(core, {
      type: "appendResponse",
      ...address,
      accepted: false,
      index: 0,
      hintIndex: 0,
      hintTerm: 0,
    });
  }
}
