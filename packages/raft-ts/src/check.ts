import { decodeMembership, isMembership, isNodeId } from "./membership.ts";
import type { Append, Message } from "./messages.ts";
import type { Entry } from "./types.ts";

/**
 * What can be told of a message without the log. Null, or what is wrong: it comes from the wire,
 * so it is checked and refused, never asserted.
 */
export function checkMessage(message: Message): string | null {
  if (!isNodeId(message.from) || !isNodeId(message.to)) return "an id that is none";
  if (!isCount(message.term)) return "a term that is no count";
  switch (message.type) {
    case "preVoteRequest":
    case "voteRequest":
      return isCount(message.lastIndex) && isCount(message.lastTerm) && message.term > 0
        ? null
        : "a log end that is no count";
    case "append":
      return checkAppend(message);
    case "appendResponse":
      return isCount(message.index) && isCount(message.hintIndex) && isCount(message.hintTerm)
        ? null
        : "an index that is no count";
    case "heartbeat":
      return isCount(message.commit) && isCount(message.round) ? null : "a commit that is no count";
    case "heartbeatResponse":
      return isCount(message.round) ? null : "a round that is no count";
    case "installSnapshot": {
      const { index, term, membership } = message.snapshot;
      if (!isCount(index) || !isCount(term) || index === 0) return "a snapshot of nothing";
      if (term > message.term) return "a snapshot of a later term";
      return isMembership(membership) ? null : "a snapshot without a membership";
    }
    case "preVoteResponse":
    case "voteResponse":
    case "timeoutNow":
      return null;
  }
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function checkAppend(message: Append): string | null {
  const { prevIndex, prevTerm, entries } = message;
  if (!isCount(prevIndex) || !isCount(prevTerm) || !isCount(message.commit)) {
    return "a position that is no count";
  }
  if (entries.at(-1)?.continues === true) return "a part of a proposal";
  return checkEntries(entries, prevIndex, prevTerm, message.term);
}

/** Entries that follow (index, term) and end in a term of at most `termMax`. */
export function checkEntries(
  entries: readonly Entry[],
  index: number,
  term: number,
  termMax: number,
): string | null {
  let lastTerm = term;
  for (const [at, entry] of entries.entries()) {
    if (entry.index !== index + 1 + at) return "entries with a gap";
    if (!isCount(entry.term) || entry.term < lastTerm) return "terms that fall";
    if (entry.kind === "config" && decodeMembership(entry.data) === null) {
      return "a config entry that is no membership";
    }
    lastTerm = entry.term;
  }
  return lastTerm > termMax ? "entries of a later term" : null;
}
