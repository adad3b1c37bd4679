import { type Result, assert, err } from "@mantou/base";
import type {
  Input,
  MembershipChange,
  Message,
  Outbox,
  Persist,
  Raft,
  Refusal,
  RoleChange,
  SnapshotMeta,
  Status,
} from "raft-ts";
import { describeMessage, describeRefusal } from "raft-ts";
import type { QuorumDescription } from "../handler.ts";
import { ControllerAlarm } from "./controller-alarm.ts";
import { ControllerArrivals } from "./controller-arrivals.ts";
import { ControllerDisk } from "./controller-disk.ts";
import { ControllerError, controllerError } from "./controller-errors.ts";
import {
  type ControllerParts,
  type ControllerSettings,
  defaultControllerSettings,
} from "./controller-parts.ts";
import { PeerSender, noPeers } from "./controller-peers.ts";
import { ControllerPending } from "./controller-pending.ts";
import { describeQuorum } from "./controller-quorum.ts";
import { ControllerReplay } from "./controller-replay.ts";
import { openRaft, restoreController } from "./controller-restore.ts";
import { ControllerSnapshots } from "./controller-snapshots.ts";

/**
 * Runs the consensus core on the metadata log: pumps inputs in, carries effects out, translates
 * completions. It decides nothing. raft index = record offset + 1.
 */
export class ControllerDriver {
  private raft: Raft | null = null;
  private readonly disk: ControllerDisk;
  private readonly pending = new ControllerPending();
  private readonly settings: ControllerSettings;
  private readonly snapshots: ControllerSnapshots;
  private readonly sender: PeerSender;
  private readonly replay: ControllerReplay;
  private readonly arrivals = new ControllerArrivals();
  private readonly alarm: ControllerAlarm;
  private pumping = false;
  private pumpAgain = false;
  private stopped: ControllerError | null = null;

  constructor(private readonly parts: ControllerParts) {
    const { io, ambient, logId, nodeId, directoryId } = parts;
    this.settings = { ...defaultControllerSettings, ...parts.settings };
    const failed = (reason: string, error: unknown): void => this.fail(reason, error);
    this.disk = new ControllerDisk({
      io,
      ambient,
      logId,
      owner: { nodeId, directoryId },
      leader: () => this.raft?.status().leader ?? null,
      completed: (writes) => this.completed(writes),
      failed,
    });
    this.sender = new PeerSender({
      peers: parts.peers ?? noPeers,
      readCheckpoint: (snapshot) => this.disk.readCheckpoint(snapshot),
      gone: (to) => this.checkpointFailed(to),
      failed,
    });
    this.alarm = new ControllerAlarm(ambient, () => void this.stepIfRunning({ kind: "tick" }));
    this.snapshots = new ControllerSnapshots({
      ambient,
      disk: this.disk,
      settings: this.settings,
      describe: () => this.raft?.describeSnapshot(this.replay.index) ?? null,
      snapshot: () => parts.machine.snapshot(),
      saved: (snapshot, compactTo) => this.snapshotSaved(snapshot, compactTo),
      failed,
    });
    this.replay = new ControllerReplay(parts.machine, this.pending, this.snapshots, this.arrivals);
  }

  /**
   * Replays the log and resolves when there is a leader and an entry of its term is applied here:
   * everything that was committed before its election is in the state machine then. A lone voter
   * elects itself on the way; other nodes wait for a leader. Rejects with IoError CORRUPT or FORMAT
   * for a person to mend.
   */
  async start(): Promise<void> {
    const { io, ambient, nodeId, directoryId } = this.parts;
    const log = await this.disk.openLog();
    const voters = this.parts.voters ?? [nodeId];
    const restored = await restoreController(io, this.disk, log, { nodeId, directoryId }, voters);
    if (this.stopped !== null) throw this.stopped;
    this.replay.begin(restored.disk.snapshot, restored.state);
    this.raft = openRaft(restored.disk, nodeId, this.settings, ambient);
    ambient.logger.info("controller.restored", {
      snapshot: this.replay.index,
      entries: restored.disk.entries.length,
      term: restored.disk.hardState.term,
    });
    const started = this.pending.untilStarted();
    this.step({ kind: "tick" });
    await started;
  }

  /** Rejects whoever waits. What was proposed may still be committed. */
  async stop(): Promise<void> {
    this.halt(new ControllerError("STOPPED", "the controller is stopping"));
    await this.disk.stop();
  }

  /**
   * Proposes entries as one unit: all of them are committed or none. Resolves with the index of
   * the last when they are applied here; rejects with ControllerError.
   */
  propose(entries: readonly Uint8Array[]): Promise<number> {
    return this.proposed({ kind: "propose", data: entries });
  }

  changeMembership(change: MembershipChange): Promise<number> {
    return this.proposed({ kind: "changeMembership", change });
  }

  /** Resolves when everything committed before the call is applied here (thesis section 6.4). */
  readBarrier(): Promise<number> {
    return this.pending.addRead((id) => {
      const answer = this.tryStep({ kind: "read", id });
      return answer.ok ? null : answer.error;
    });
  }

  /** Asks `to` to take over; `onLeaderChange` tells whether it did. */
  transferLeadership(to: number): void {
    const answer = this.tryStep({ kind: "transfer", to });
    if (!answer.ok) throw answer.error;
  }

  /** A message of another node, with the checkpoint that came along, if any. */
  receive(message: Message, checkpoint: Uint8Array | null): void {
    if (message.type === "installSnapshot" && !this.offer(message.snapshot, checkpoint)) return;
    const answer = this.stepIfRunning({ kind: "message", message });
    if (answer === null || answer.ok || answer.error.kind === "busy") return;
    this.parts.ambient.logger.error("controller.message-refused", {
      message: describeMessage(message),
      why: describeRefusal(answer.error),
    });
  }

  /** The transport has lost messages to `nodeId`. */
  unreachable(nodeId: number): void {
    this.stepIfRunning({ kind: "unreachable", to: nodeId });
  }

  /** The transport could not bring a checkpoint over to `nodeId`. */
  checkpointFailed(nodeId: number): void {
    this.stepIfRunning({ kind: "snapshotFailed", to: nodeId });
  }

  /** DURABLE of the metadata log: everything below this offset is fsynced. */
  onDurable(endOffset: number): void {
    this.disk.onDurable(endOffset);
  }

  /** LOG_FAILED of the metadata log: this node cannot be part of the quorum any more. */
  onLogFailed(code: number): void {
    this.fail(`the metadata log has failed (code ${code})`, null);
  }

  status(): Status {
    assert(this.raft !== null, "the controller has started");
    return this.raft.status();
  }

  /** Figures for DescribeQuorum. */
  quorum(): QuorumDescription {
    const { ambient, directoryId } = this.parts;
    return describeQuorum(this.status(), directoryId, ambient.clock);
  }

  // --- in ---

  private offer(snapshot: SnapshotMeta, checkpoint: Uint8Array | null): boolean {
    if (checkpoint === null) return false;
    try {
      this.arrivals.offer(snapshot, checkpoint);
      return true;
    } catch (error) {
      this.parts.ambient.logger.warn("controller.checkpoint-refused", { error: String(error) });
      return false;
    }
  }

  private now(): number {
    return this.parts.ambient.clock.monotonicMs();
  }

  private step(input: Input): Result<number, Refusal> {
    assert(this.raft !== null, "the controller has started");
    const answer = this.raft.step(input, this.now());
    this.pump();
    return answer;
  }

  private stepIfRunning(input: Input): Result<number, Refusal> | null {
    return this.raft === null || this.stopped !== null ? null : this.step(input);
  }

  private tryStep(input: Input): Result<number, ControllerError> {
    const answer = this.stepIfRunning(input);
    if (answer === null) return err(this.notRunning());
    return answer.ok ? answer : err(controllerError(answer.error));
  }

  private notRunning(): ControllerError {
    return this.stopped ?? new ControllerError("NOT_LEADER", "the controller is starting");
  }

  /** The waiter is registered between step and pump: nothing can be applied before. */
  private proposed(input: Input): Promise<number> {
    const { raft, stopped } = this;
    if (raft === null || stopped !== null) return Promise.reject(this.notRunning());
    const answer = raft.step(input, this.now());
    if (!answer.ok) return Promise.reject(controllerError(answer.error));
    const applied = this.pending.addProposal(answer.value, raft.status().term);
    this.pump();
    return applied;
  }

  private completed(writes: readonly Persist[]): void {
    if (this.raft === null || this.stopped !== null) return;
    for (const { messages, ticket } of writes) {
      for (const message of messages) this.sender.send(message);
      this.raft.step({ kind: "persisted", ticket }, this.now());
    }
    this.pump();
  }

  // --- out ---

  private pump(): void {
    this.pumpAgain = true;
    if (this.pumping) return;
    this.pumping = true;
    try {
      while (this.pumpAgain && this.stopped === null && this.raft !== null) {
        this.pumpAgain = false;
        this.carryOut(this.raft.take());
      }
    } finally {
      this.pumping = false;
    }
  }

  private carryOut(outbox: Outbox): void {
    const { persist, snapshotToInstall, role } = outbox;
    if (persist !== null) {
      const { snapshot } = persist;
      this.disk.submit(persist, snapshot === null ? null : this.arrivals.submit(snapshot));
    }
    for (const message of outbox.messages) this.sender.send(message);
    if (snapshotToInstall !== null) this.replay.install(snapshotToInstall);
    for (const entry of outbox.committed) this.replay.apply(entry);
    this.pending.readsConfirmed(outbox.reads, this.replay.index);
    this.pending.readsLost(outbox.readsLost);
    if (role !== null) this.roleChanged(role);
    this.alarm.arm(outbox.armDeadlineMs);
    this.pending.considerStarted(() => this.status(), this.replay.term);
    if (outbox.committed.length > 0) this.snapshots.consider();
  }

  private snapshotSaved(snapshot: SnapshotMeta, compactTo: number): number | null {
    const answer = this.stepIfRunning({ kind: "snapshotSaved", snapshot, compactTo });
    return answer?.ok === true ? answer.value : null;
  }

  private roleChanged(role: RoleChange): void {
    if (role.role !== "leader") this.pending.leadershipLost();
    this.parts.ambient.logger.info("controller.role", { ...role });
    this.parts.onLeaderChange?.(role);
  }

  // --- the end ---

  private halt(error: ControllerError): void {
    if (this.stopped !== null) return;
    this.stopped = error;
    this.alarm.arm(null);
    this.pending.stop(error);
  }

  private fail(reason: string, error: unknown): void {
    if (this.stopped !== null) return;
    this.halt(new ControllerError("STOPPED", reason));
    void this.disk.stop();
    this.parts.ambient.fatal(reason, error ?? undefined);
  }
}
