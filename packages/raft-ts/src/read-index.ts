import type { Core, Leader } from "./core.ts";
import type { Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import { broadcastHeartbeat } from "./replicate.ts";

interface Round {
  readonly round: number;
  /** The commit when the round began. */
  readonly index: number;
  readonly ids: readonly number[];
}

/**
 * Linearizable reads without a log entry (thesis section 6.4). A read takes the commit of its
 * arrival and waits until a majority has answered a heartbeat sent after it: then no other leader
 * can have committed anything before the read arrived. Reads that arrive while one round is under
 * way share the next one.
 */
export class Reads {
  private waiting: number[] = [];
  private rounds: Round[] = [];

  get pendingCount(): number {
    return this.rounds.reduce((sum, round) => sum + round.ids.length, this.waiting.length);
  }

  get hasWaiting(): boolean {
    return this.waiting.length > 0;
  }

  get isUnderWay(): boolean {
    return this.rounds.length > 0;
  }

  add(id: number): void {
    this.waiting.push(id);
  }

  /** All that wait go with this round. */
  begin(round: number, index: number): void {
    if (this.waiting.length === 0) return;
    this.rounds.push({ round, index, ids: this.waiting });
    this.waiting = [];
  }

  /** Takes the rounds that a majority has confirmed. */
  confirmed(round: number): Round[] {
    const count = this.rounds.filter((candidate) => candidate.round <= round).length;
    return this.rounds.splice(0, count);
  }

  dropAll(): number[] {
    const ids = [...this.rounds.flatMap((round) => round.ids), ...this.waiting];
    this.rounds = [];
    this.waiting = [];
    return ids;
  }
}

export function read(core: Core, leader: Leader, id: number): void {
  leader.reads.add(id);
  if (leader.reads.isUnderWay || !canRead(core, leader)) return;
  startRound(core, leader);
  confirmReads(core, leader);
}

/** Before its no-op is committed a leader may not know the latest commit. */
const canRead = (core: Core, leader: Leader): boolean => core.commit >= leader.termStart;

/** A heartbeat to everyone, which confirms all reads that wait. */
export function startRound(core: Core, leader: Leader): void {
  leader.round += 1;
  if (canRead(core, leader)) leader.reads.begin(leader.round, core.commit);
  broadcastHeartbeat(core, leader);
}

/** Called when an echo came in, or the commit has moved. */
export function confirmReads(core: Core, leader: Leader): void {
  for (;;) {
    for (const { index, ids } of leader.reads.confirmed(quorumRound(core, leader))) {
      for (const id of ids) core.reads.push({ id, index });
    }
    const startNext = leader.reads.hasWaiting && !leader.reads.isUnderWay && canRead(core, leader);
    if (!startNext) return;
    startRound(core, leader);
  }
}

/** The latest round that a majority has echoed; the leader echoes itself. */
function quorumRound(core: Core, leader: Leader): number {
  const self = core.options.id;
  const rounds = core.memberships.latest.voters.map((id) =>
    id === self ? leader.round : (leader.progress.get(id) as Progress).roundEchoed,
  );
  return quorumValue(rounds);
}
