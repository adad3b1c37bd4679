import { type Core, leaderOf } from "./core.ts";
import type { RoleName } from "./outbox.ts";
import type { ProgressState } from "./progress.ts";
import type { Membership, NodeId, SnapshotMeta } from "./types.ts";

export interface PeerStatus {
  readonly id: NodeId;
  readonly state: ProgressState;
  readonly match: number;
  readonly next: number;
  readonly heardMs: number;
  readonly inflight: number;
}

export interface Status {
  readonly id: NodeId;
  readonly role: RoleName;
  readonly term: number;
  readonly votedFor: NodeId | null;
  readonly leader: NodeId | null;
  readonly commit: number;
  readonly applied: number;
  /** On the local disk. */
  readonly stable: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly snapshot: SnapshotMeta;
  readonly membership: Membership;
  /** A leader's view of every other member; empty for other roles. */
  readonly peers: readonly PeerStatus[];
}

export function describeStatus(core: Core): Status {
  const { role } = core;
  const progress = role.kind === "leader" ? [...role.progress] : [];
  return {
    id: core.options.id,
    role: role.kind,
    term: core.term,
    votedFor: core.votedFor,
    leader: leaderOf(core),
    commit: core.commit,
    applied: core.applied,
    stable: core.writes.stableIndex,
    firstIndex: core.log.firstIndex,
    lastIndex: core.log.lastIndex,
    lastTerm: core.log.lastTerm,
    snapshot: core.snapshot,
    membership: core.memberships.latest,
    peers: progress.map(([id, peer]) => {
      const { state, match, next, heardMs } = peer;
      return { id, state, match, next, heardMs, inflight: peer.inflightCount };
    }),
  };
}
