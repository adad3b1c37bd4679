import { assert } from "@mantou/base";
import { type Core, send } from "./core.ts";
import type { Append, Heartbeat, InstallSnapshot } from "./messages.ts";
import type { Entry, NodeId } from "./types.ts";

// The three messages of a leader whose term is this node's. Each returns null, or what is wrong
// with it: a message that contradicts the committed prefix is dropped, not obeyed.

/**
 * AppendEntries (Raft section 5.3). What lies below the commit is not looked at twice: it equals the
 * leader's log, and may be compacted here.
 */
export function onAppend(core: Core, message: Append): string | null {
  const { log } = core;
  const { prevIndex, prevTerm, entries } = message;
  if (prevIndex >= core.commit && !log.matches(prevIndex, prevTerm)) {
    reject(core, message);
    return null;
  }
  if (contradictsCommitted(core, entries)) return "entries that differ from committed ones";
  const fresh = entries.find(({ index, term }) => index > core.commit && !log.matches(index, term));
  if (fresh !== undefined) {
    if (fresh.index <= log.lastIndex) truncateFrom(core, fresh.index);
    const missing = entries.slice(fresh.index - prevIndex - 1);
    log.append(missing);
    core.memberships.append(missing);
  }
  // Behind `last` this log may still hold entries of a deposed leader.
  const last = Math.max(core.commit, prevIndex + entries.length);
  core.commit = Math.max(core.commit, Math.min(message.commit, last));
  accept(core, message.from, last);
  return null;
}

function contradictsCommitted(core: Core, entries: readonly Entry[]): boolean {
  return entries.some(({ index, term }) => {
    const held = index <= core.commit ? core.log.termAt(index) : null;
    return held !== null && held !== term;
  });
}

function truncateFrom(core: Core, index: number): void {
  assert(index > core.commit, "what is committed stays");
  core.log.truncateFrom(index);
  core.memberships.truncateFrom(index);
  core.writes.noteTruncate(index);
}

function accept(core: Core, to: NodeId, index: number): void {
  const { term, options } = core;
  send(core, {
    type: "appendResponse",
    from: options.id,
    to,
    term,
    accepted: true,
    index,
    hintIndex: 0,
    hintTerm: 0,
  });
}

/**
 * The hint skips every entry that cannot match: the leader's terms up to `prevIndex` are at most
 * `prevTerm`, so entries here of a higher term are not in its log (Raft section 5.3, end).
 */
function reject(core: Core, message: Append): void {
  const { log, term, options } = core;
  const hintIndex = log.lastIndexNotAbove(message.prevIndex, message.prevTerm);
  send(core, {
    type: "appendResponse",
    from: options.id,
    to: message.from,
    term,
    accepted: false,
    index: message.prevIndex,
    hintIndex,
    hintTerm: log.termAt(hintIndex) ?? 0,
  });
}

export function onHeartbeat(core: Core, message: Heartbeat): string | null {
  if (message.commit > core.log.lastIndex) return "a commit beyond what this disk has acknowledged";
  core.commit = Math.max(core.commit, message.commit);
  const { term, options } = core;
  const { from, round } = message;
  send(core, { type: "heartbeatResponse", from: options.id, to: from, term, round });
  return null;
}

/** InstallSnapshot (Raft section 7). The driver holds its bytes. */
export function onInstallSnapshot(core: Core, message: InstallSnapshot): string | null {
  const { snapshot } = message;
  if (snapshot.index <= core.commit) {
    accept(core, message.from, core.commit);
    return null;
  }
  if (core.log.matches(snapshot.index, snapshot.term)) {
    // The log has it all, it just did not know: the snapshot is not needed.
    core.commit = snapshot.index;
    accept(core, message.from, snapshot.index);
    return null;
  }
  core.log.reset(snapshot.index, snapshot.term);
  core.memberships.reset(snapshot.index, snapshot.membership);
  core.writes.noteSnapshot(snapshot);
  core.snapshot = snapshot;
  core.installing = snapshot;
  core.commit = snapshot.index;
  accept(core, message.from, snapshot.index);
  return null;
}
