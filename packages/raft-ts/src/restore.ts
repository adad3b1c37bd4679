import { Prng } from "@mantou/base";
import { checkEntries } from "./check.ts";
import { type Core, drawTimeoutMs } from "./core.ts";
import { RaftLog } from "./log.ts";
import { Memberships, isMembership, membership } from "./membership.ts";
import { type Options, assertOptions } from "./options.ts";
import type { Entry, NodeId, Restored } from "./types.ts";
import { Writes } from "./writes.ts";

/** What a disk holds is not what a node wrote there. The node must not start. */
export class RestoreError extends Error {
  override readonly name = "RestoreError";
}

/**
 * The state of a node that has never run: an empty log under a snapshot 0-0 that names the first
 * voters. Every first voter must be given the same list; a node that will be added later gets it
 * too, and learns the present one from the log.
 */
export function bootstrap(voters: readonly NodeId[]): Restored {
  const members = membership(voters, []);
  if (!isMembership(members)) throw new RestoreError("the first voters are no membership");
  return {
    hardState: { term: 0, votedFor: null },
    snapshot: { index: 0, term: 0, membership: members },
    entries: [],
  };
}

/** Starts from what the disk holds: as a follower without a leader (Raft section 5.2). */
export function restore(options: Options, disk: Restored, now: number): Core {
  assertOptions(options);
  const { hardState, snapshot } = disk;
  const { entries, superseded } = usableEntries(disk);
  const log = new RaftLog(snapshot.index, snapshot.term);
  const memberships = new Memberships(snapshot.index, snapshot.membership);
  log.append(entries);
  memberships.append(entries);
  const diskLast = superseded ? log.lastIndex : (disk.entries.at(-1)?.index ?? log.lastIndex);
  const writes = new Writes(hardState, diskLast);
  if (superseded) writes.noteReset(snapshot);
  else if (diskLast > log.lastIndex) writes.noteTruncate(log.lastIndex + 1);
  const core: Core = {
    options,
    random: new Prng(options.seed),
    log,
    memberships,
    writes,
    term: hardState.term,
    votedFor: hardState.votedFor,
    role: {
      kind: "follower",
      leader: null,
      heardMs: Number.NEGATIVE_INFINITY,
      timeoutMs: 0,
      deadlineMs: 0,
    },
    snapshot,
    installing: null,
    commit: snapshot.index,
    applied: snapshot.index,
    messages: [],
    snapshotToInstall: null,
    reads: [],
    readsLost: [],
  };
  const timeoutMs = drawTimeoutMs(core);
  const { voters } = memberships.latest;
  // The only voter has nobody to wait for.
  const alone = voters.length === 1 && voters[0] === options.id;
  core.role = {
    kind: "follower",
    leader: null,
    heardMs: Number.NEGATIVE_INFINITY,
    timeoutMs,
    deadlineMs: alone ? now : now + timeoutMs,
  };
  return core;
}

interface Usable {
  readonly entries: Entry[];
  /** The log on disk does not reach the snapshot and has to be reset behind it. */
  readonly superseded: boolean;
}

/** The entries behind the snapshot that continue it. Throws when they contradict themselves. */
function usableEntries(disk: Restored): Usable {
  const { hardState, snapshot, entries } = disk;
  if (!isMembership(snapshot.membership)) throw new RestoreError("the snapshot has no membership");
  if (snapshot.term > hardState.term) throw new RestoreError("the snapshot is of a later term");
  const first = entries[0];
  if (first === undefined) return { entries: [], superseded: snapshot.index > 0 };
  const fault = checkEntries(entries, first.index - 1, 0, hardState.term);
  if (fault !== null) throw new RestoreError(`the log holds ${fault}`);
  if (first.index > snapshot.index + 1) throw new RestoreError("the log begins behind a gap");
  // A crash between the two halves of a snapshot's write leaves the old log under the new
  // snapshot. If it does not contain the snapshot's last entry, it is superseded whole.
  const last = entries[snapshot.index - first.index];
  if (first.index <= snapshot.index && last?.term !== snapshot.term) {
    return { entries: [], superseded: true };
  }
  const behind = entries.slice(snapshot.index + 1 - first.index);
  // A torn write may have left a part of a proposal. It was never acknowledged.
  while (behind.at(-1)?.continues === true) behind.pop();
  return { entries: behind, superseded: false };
}
