import { type Clock, ZERO_UUID } from "@mantou/base";
import type { PeerStatus, Status } from "raft-ts";
import type { QuorumDescription, ReplicaProgress } from "../handler.ts";

const UNKNOWN = -1;

/**
 * The answer of DescribeQuorum. Only a leader knows how far the others are; a follower tells who
 * they are. Offsets are log ends, which equal the last index.
 */
export function describeQuorum(
  status: Status,
  directoryId: string,
  clock: Clock,
): QuorumDescription {
  const { membership } = status;
  const wallMs = clock.wallMs();
  const monotonicMs = clock.monotonicMs();
  const progressOf = (id: number): ReplicaProgress => {
    if (id === status.id) return own(status, directoryId, wallMs);
    const peer = status.peers.find((candidate) => candidate.id === id);
    const heardMs = peer === undefined ? UNKNOWN : wallMs - (monotonicMs - peer.heardMs);
    return {
      replicaId: id,
      directoryId: ZERO_UUID,
      logEndOffset: peer?.match ?? UNKNOWN,
      lastFetchTimestamp: Math.floor(heardMs),
      lastCaughtUpTimestamp: isCaughtUp(peer, status) ? Math.floor(heardMs) : UNKNOWN,
    };
  };
  return {
    leaderId: status.leader ?? UNKNOWN,
    leaderEpoch: status.term,
    highWatermark: status.commit,
    voters: membership.voters.map(progressOf),
    observers: membership.learners.map(progressOf),
  };
}

function own(status: Status, directoryId: string, wallMs: number): ReplicaProgress {
  const isLeader = status.leader === status.id;
  return {
    replicaId: status.id,
    directoryId,
    logEndOffset: status.lastIndex,
    lastFetchTimestamp: isLeader ? wallMs : UNKNOWN,
    lastCaughtUpTimestamp: isLeader ? wallMs : UNKNOWN,
  };
}

const isCaughtUp = (peer: PeerStatus | undefined, status: Status): boolean =>
  peer !== undefined && peer.match >= status.commit;
