import { assert } from "@mantou/base";
import { type Core, type Leader, leaderOf } from "./core.ts";
import { peersOf } from "./membership.ts";

/** What one node can assert of itself. The paper's properties need all nodes: see the tests. */
export function checkInvariants(core: Core): void {
  const { log, writes, memberships } = core;
  assert(core.applied <= core.commit, "only committed entries are applied");
  assert(core.commit <= log.lastIndex, "only entries of the log are committed");
  assert(core.commit >= log.firstIndex - 1, "only committed entries are compacted");
  assert(log.firstIndex - 1 <= core.snapshot.index, "what is compacted is in the snapshot");
  assert(core.snapshot.index <= core.commit, "a snapshot holds committed entries");
  assert(log.lastTerm <= core.term, "the log is not of a later term");
  assert(writes.stableIndex <= log.lastIndex, "the disk is not ahead of the log");
  assert(writes.durable.term <= core.term, "the disk is not of a later term");
  assert(memberships.latestIndex <= log.lastIndex, "the membership is in the log");
  assert(log.entryAt(core.commit)?.continues !== true, "a proposal commits whole");
  assert(log.entryAt(log.lastIndex)?.continues !== true, "a log ends with a whole proposal");
  if (core.installing === null) {
    assert(core.applied <= writes.stableIndex, "what is applied is on disk");
    assert(core.applied >= core.snapshot.index, "the state machine holds the snapshot");
  } else {
    assert(core.installing === core.snapshot, "the latest snapshot is installed");
  }
  const { role } = core;
  if (role.kind === "candidate") assert(core.votedFor === core.options.id, "votes for itself");
  if (role.kind === "leader") checkLeader(core, role);
  if (role.kind === "follower") {
    assert(role.leader !== core.options.id, "a follower follows another");
    assert((role.leader === null) === (role.heardMs === Number.NEGATIVE_INFINITY), "heard of it");
  }
}

function checkLeader(core: Core, leader: Leader): void {
  const { log, options } = core;
  assert(leaderOf(core) === options.id, "a leader knows itself");
  assert(core.installing === null, "a leader has its log");
  assert(core.writes.durable.term === core.term, "a leader's term is on disk");
  assert(core.writes.durable.votedFor === options.id, "a leader's vote is on disk");
  assert(log.lastTerm === core.term, "a leader has a no-op of its term");
  assert(leader.uncommittedBytes >= 0, "no more is committed than was proposed");
  assert((leader.uncommittedBytes === 0) === (core.commit === log.lastIndex), "bytes add up");
  const peers = peersOf(core.memberships.latest, options.id);
  assert(leader.progress.size === peers.length, "progress is kept for the members");
  for (const id of peers) {
    const progress = leader.progress.get(id);
    assert(progress !== undefined, "progress is kept for each member");
    assert(progress.match < progress.next, "what matches is not sent again");
    assert(progress.next <= log.lastIndex + 1, "nothing is sent that is not there");
    assert(progress.inflightCount <= options.inflightMessagesMax, "the pipeline is bounded");
    assert(progress.roundEchoed <= leader.round, "only rounds that were begun are echoed");
  }
}
