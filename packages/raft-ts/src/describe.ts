import { unreachable } from "@mantou/base";
import type { Refusal } from "./inputs.ts";
import type { Message } from "./messages.ts";
import type { Entry, Membership } from "./types.ts";

// One line per thing, for logs and transcripts.

export const describeMembership = (members: Membership): string =>
  `voters=${members.voters.join(",")}` +
  (members.learners.length > 0 ? ` learners=${members.learners.join(",")}` : "");

/** `7/3` is index 7 of term 3; a `+` says that the proposal goes on. */
export const describeEntry = (entry: Entry): string =>
  `${entry.index}/${entry.term} ${entry.kind}${entry.continues ? "+" : ""}`;

/** A run of entries by its ends. */
export function describeEntries(entries: readonly Entry[]): string {
  const [first, last] = [entries[0], entries.at(-1)];
  if (first === undefined || last === undefined) return "none";
  const ends = first === last ? [first] : [first, last];
  return ends.map((entry) => `${entry.index}/${entry.term}`).join("..");
}

export function describeMessage(message: Message): string {
  return `${message.from}->${message.to} ${message.type} term=${message.term} ${body(message)}`.trim();
}

function body(message: Message): string {
  switch (message.type) {
    case "preVoteRequest":
      return `last=${message.lastIndex}/${message.lastTerm}`;
    case "voteRequest":
      return `last=${message.lastIndex}/${message.lastTerm}${message.transfer ? " transfer" : ""}`;
    case "preVoteResponse":
    case "voteResponse":
      return message.granted ? "granted" : "refused";
    case "append":
      return (
        `prev=${message.prevIndex}/${message.prevTerm} ` +
        `entries=${describeEntries(message.entries)} commit=${message.commit}`
      );
    case "appendResponse":
      return message.accepted
        ? `accepted=${message.index}`
        : `rejected=${message.index} hint=${message.hintIndex}/${message.hintTerm}`;
    case "heartbeat":
      return `commit=${message.commit} round=${message.round}`;
    case "heartbeatResponse":
      return `round=${message.round}`;
    case "installSnapshot": {
      const { index, term, membership } = message.snapshot;
      return `snapshot=${index}/${term} ${describeMembership(membership)}`;
    }
    case "timeoutNow":
      return "";
    default:
      return unreachable(message);
  }
}

export function describeRefusal(refusal: Refusal): string {
  switch (refusal.kind) {
    case "notLeader":
      return refusal.leader === null ? "not leader" : `not leader, ask ${refusal.leader}`;
    case "overloaded":
      return "overloaded: too much is uncommitted or waiting";
    case "tooLarge":
      return `too large: ${refusal.bytes} bytes of at most ${refusal.bytesMax}`;
    case "transferring":
      return `leadership is on its way to ${refusal.to}`;
    case "notReady":
      return "not ready: no entry of this term is committed yet";
    case "changeInProgress":
      return `the membership at ${refusal.index} is not committed yet`;
    case "alreadyMember":
      return `${refusal.id} is one already`;
    case "notMember":
      return `${refusal.id} is no member`;
    case "notVoter":
      return `${refusal.id} is no voter`;
    case "lastVoter":
      return `${refusal.id} is the last voter`;
    case "notCaughtUp":
      return `${refusal.id} is ${refusal.behind} entries behind`;
    case "stale":
      return "stale";
    case "busy":
      return "busy: the disk is behind";
    case "malformed":
    case "violation":
      return `${refusal.kind}: ${refusal.reason}`;
    default:
      return unreachable(refusal);
  }
}
