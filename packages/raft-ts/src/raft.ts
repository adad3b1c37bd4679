import { type Result, assert, err, ok, unreachable } from "@mantou/base";
import { changeMembership } from "./change.ts";
import { checkMessage } from "./check.ts";
import { type Core, type Leader, isElectable, leaderOf } from "./core.ts";
import { countOwnVote, startElection } from "./election.ts";
import type { Input, Refusal } from "./inputs.ts";
import { checkInvariants } from "./invariants.ts";
import { advanceCommit, appendOwn, leaderTick } from "./leader.ts";
import type { Message } from "./messages.ts";
import { ENTRY_OVERHEAD_BYTES, type Options } from "./options.ts";
import type { Outbox, RoleChange } from "./outbox.ts";
import { read } from "./read-index.ts";
import { receive } from "./receive.ts";
import { restore } from "./restore.ts";
import { type Status, describeStatus } from "./status.ts";
import { startTransfer } from "./transfer.ts";
import type { Entry, NodeId, Restored, SnapshotMeta } from "./types.ts";

/**
 * One node of a Raft cluster, without a clock, a disk or a network. The driver steps inputs, then
 * takes the outbox and carries it out; see the README for the contract.
 */
export class Raft {
  private readonly core: Core;
  private told: RoleChange;

  /** @param disk what the node's disk holds, or `bootstrap(voters)` for its first start. */
  constructor(options: Options, disk: Restored, nowMs: number) {
    this.core = restore(options, disk, nowMs);
    this.told = this.roleNow();
  }

  /**
   * Takes one input. The answer is an index where the input has one (see `Input`), else 0; or why
   * it was not taken. Nothing leaves before `take`; any number of steps may share one.
   * @param nowMs monotonic milliseconds, never less than before.
   */
  step(input: Input, nowMs: number): Result<number, Refusal> {
    const { core } = this;
    switch (input.kind) {
      case "tick":
        this.tick(nowMs);
        return ok(0);
      case "message":
        return this.message(input.message, nowMs);
      case "persisted":
        this.persisted(input.ticket, nowMs);
        return ok(0);
      case "propose":
        return this.propose(input.data, nowMs);
      case "read":
        return this.read(input.id);
      case "changeMembership":
        return this.asLeader((leader) => changeMembership(core, leader, input.change, nowMs));
      case "transfer":
        return this.asLeader((leader) => startTransfer(core, leader, input.to, nowMs));
      case "campaign":
        if (core.role.kind !== "leader") startElection(core, nowMs);
        return ok(0);
      case "snapshotSaved":
        return this.snapshotSaved(input.snapshot, input.compactTo);
      case "snapshotFailed":
        return this.lost(input.to, "snapshot");
      case "unreachable":
        return this.lost(input.to, "replicate");
      default:
        return unreachable(input);
    }
  }

  /** Hands over everything that is to be done. Empty lists and nulls where there is nothing. */
  take(): Outbox {
    const { core } = this;
    const committed = this.takeCommitted();
    const { term, votedFor, messages, snapshotToInstall, reads, readsLost } = core;
    const persist = core.writes.take({ term, votedFor }, core.log);
    core.messages = [];
    core.snapshotToInstall = null;
    core.reads = [];
    core.readsLost = [];
    checkInvariants(core);
    const armDeadlineMs = this.deadline();
    const role = this.takeRole();
    return {
      persist,
      messages,
      snapshotToInstall,
      committed,
      reads,
      readsLost,
      role,
      armDeadlineMs,
    };
  }

  /** What a driver, an operator or a test may know. A copy. */
  status(): Status {
    return describeStatus(this.core);
  }

  /**
   * The name of a snapshot of the state machine at `index`, which must be applied and still in the
   * log (or the base of it); null otherwise.
   */
  describeSnapshot(index: number): SnapshotMeta | null {
    const { log, memberships, applied } = this.core;
    const term = log.termAt(index);
    if (term === null || index > applied) return null;
    return { index, term, membership: memberships.at(index) };
  }

  /** Asserts everything that must hold of this node by itself. `take` does it too. */
  checkInvariants(): void {
    checkInvariants(this.core);
  }

  private tick(now: number): void {
    const { core } = this;
    const { role } = core;
    if (role.kind === "leader") {
      if (now >= role.heartbeatDeadlineMs) leaderTick(core, role, now);
    } else if (now >= role.deadlineMs) {
      startElection(core, now);
    }
  }

  private message(message: Message, now: number): Result<number, Refusal> {
    const { core } = this;
    const reason = message.to === core.options.id ? checkMessage(message) : "another node's";
    if (reason !== null) return err({ kind: "malformed", reason });
    if (core.writes.outstandingCount >= core.options.writesOutstandingMax) {
      return err({ kind: "busy" });
    }
    const violation = receive(core, message, now);
    return violation === null ? ok(0) : err({ kind: "violation", reason: violation });
  }

  private persisted(ticket: number, now: number): void {
    const { core } = this;
    const installed = core.writes.complete(ticket);
    if (installed !== null && installed === core.installing) {
      core.installing = null;
      core.snapshotToInstall = installed;
      core.applied = installed.index;
    }
    countOwnVote(core, now);
    advanceCommit(core, now);
  }

  private propose(data: readonly Uint8Array[], now: number): Result<number, Refusal> {
    assert(data.length > 0, "a proposal has entries");
    return this.asLeader((leader) => {
      const { core } = this;
      if (leader.transfer !== null) return err({ kind: "transferring", to: leader.transfer.to });
      const bytes = data.reduce((sum, part) => sum + part.length + ENTRY_OVERHEAD_BYTES, 0);
      const { proposalBytesMax, uncommittedBytesMax } = core.options;
      if (bytes > proposalBytesMax) {
        return err({ kind: "tooLarge", bytes, bytesMax: proposalBytesMax });
      }
      if (leader.uncommittedBytes + bytes > uncommittedBytesMax) return err({ kind: "overloaded" });
      return ok(appendOwn(core, leader, "normal", data, now));
    });
  }

  private read(id: number): Result<number, Refusal> {
    return this.asLeader((leader) => {
      const { core } = this;
      if (leader.reads.pendingCount >= core.options.readsPendingMax) {
        return err({ kind: "overloaded" });
      }
      read(core, leader, id);
      return ok(0);
    });
  }

  private snapshotSaved(snapshot: SnapshotMeta, compactTo: number): Result<number, Refusal> {
    const { core } = this;
    if (core.installing !== null || snapshot.index > core.applied) return err({ kind: "stale" });
    if (snapshot.index < core.snapshot.index) return err({ kind: "stale" });
    assert(compactTo <= snapshot.index, "only what the snapshot holds is let go");
    core.snapshot = snapshot;
    if (compactTo >= core.log.firstIndex) {
      core.log.compactTo(compactTo);
      core.memberships.compactTo(compactTo);
    }
    return ok(core.log.firstIndex - 1);
  }

  /** What was sent is lost: start again from what is known to have arrived. */
  private lost(to: NodeId, state: "snapshot" | "replicate"): Result<number, Refusal> {
    return this.asLeader((leader) => {
      const progress = leader.progress.get(to);
      if (progress?.state === state) progress.becomeProbe();
      return ok(0);
    });
  }

  private asLeader(act: (leader: Leader) => Result<number, Refusal>): Result<number, Refusal> {
    const { core } = this;
    if (core.role.kind === "leader") return act(core.role);
    return err({ kind: "notLeader", leader: leaderOf(core) });
  }

  /** Only what is on this disk too: a snapshot of the state machine is never ahead of its log. */
  private takeCommitted(): readonly Entry[] {
    const { core } = this;
    const end = Math.min(core.commit, core.writes.stableIndex);
    if (core.installing !== null || end <= core.applied) return [];
    const entries = core.log.slice(core.applied + 1, end);
    core.applied = end;
    return entries;
  }

  private deadline(): number | null {
    const { core } = this;
    const { role } = core;
    // A leader of nobody has nobody to hold back: an idle single node never wakes up.
    if (role.kind === "leader") return role.progress.size > 0 ? role.heartbeatDeadlineMs : null;
    return isElectable(core) ? role.deadlineMs : null;
  }

  private roleNow(): RoleChange {
    return { role: this.core.role.kind, term: this.core.term, leader: leaderOf(this.core) };
  }

  private takeRole(): RoleChange | null {
    const now = this.roleNow();
    const { told } = this;
    if (now.role === told.role && now.term === told.term && now.leader === told.leader) return null;
    this.told = now;
    return now;
  }
}
