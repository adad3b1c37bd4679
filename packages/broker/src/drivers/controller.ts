import { type LogId, type Result, assert } from "@mantou/base";
import type { Io } from "@mantou/io";
import { IoError } from "@mantou/io";
import type {
  Entry,
  Input,
  MembershipChange,
  Message,
  Outbox,
  Persist,
  Refusal,
  Restored,
  RoleChange,
  SnapshotMeta,
  Status,
} from "raft-ts";
import { Raft, RestoreError, defaultOptions, describeMessage, describeRefusal } from "raft-ts";
import type { Ambient } from "../ambient.ts";
import type { QuorumDescription } from "../handler.ts";
import { ControllerDisk } from "./controller-disk.ts";
import { ControllerError, controllerError } from "./controller-errors.ts";
import { type PeerTransport, noPeers } from "./controller-peers.ts";
import { ControllerPending } from "./controller-pending.ts";
import { describeQuorum } from "./controller-quorum.ts";
import { decodeCheckpoint, checkpointName } from "./controller-records.ts";
import { restoreController } from "./controller-restore.ts";
import { ControllerSnapshots, type SnapshotSettings } from "./controller-snapshots.ts";

/** What is replicated. Replay at start and live traffic go the same way. */
export interface StateMachine {
  /** One committed entry, in order, each once after the last `restore`. */
  apply(index: number, data: Uint8Array): void;
  /** Everything applied so far. */
  snapshot(): Uint8Array;
  /** Takes the place of everything applied so far. */
  restore(bytes: Uint8Array): void;
}

export interface ControllerParts {
  readonly io: Io;
  readonly ambient: Ambient;
  /** The metadata log's name in this process; its DURABLE events belong to `onDurable`. */
  readonly logId: LogId;
  readonly nodeId: number;
  readonly directoryId: string;
  readonly clusterId: string;
  readonly machine: StateMachine;
  /** The voters of a fresh cluster. Default: this node alone. */
  readonly voters?: readonly number[];
  readonly peers?: PeerTransport;
  readonly onLeaderChange?: (role: RoleChange) => void;
  readonly settings?: Partial<ControllerSettings>;
}

/** Names and defaults as Kafka's `metadata.log.max.*` and `controller.quorum.*`. */
export interface ControllerSettings extends SnapshotSettings {
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
}

const defaultSettings: ControllerSettings = {
  snapshotBytes: 20 * 1024 * 1024,
  snapshotIntervalMs: 3_600_000,
  entriesKept: 1_000,
  electionTimeoutMs: 1_000,
  heartbeatMs: 200,
};

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
  private readonly peers: PeerTransport;
  private appliedIndex = 0;
  private appliedTerm = 0;
  /** The checkpoint that came with the message being stepped; then, until it is installed. */
  private arrived: Uint8Array | null = null;
  private readonly installing = new Map<string, Uint8Array>();
  private armedMs: number | null = null;
  private cancelTimer: (() => void) | null = null;
  private pumping = false;
  private pumpAgain = false;
  private caughtUp: (() => void) | null = null;
  private giveUp: ((error: ControllerError) => void) | null = null;
  private stopped: ControllerError | null = null;

  constructor(private readonly parts: ControllerParts) {
    const { io, ambient, logId, nodeId, directoryId } = parts;
    this.settings = { ...defaultSettings, ...parts.settings };
    this.peers = parts.peers ?? noPeers;
    this.disk = new ControllerDisk({
      io,
      ambient,
      logId,
      owner: { nodeId, directoryId },
      leader: () => this.raft?.status().leader ?? null,
      completed: (writes) => this.completed(writes),
      failed: (reason, error) => this.fail(reason, error),
    });
    this.snapshots = new ControllerSnapshots({
      ambient,
      disk: this.disk,
      settings: this.settings,
      describe: () => this.raft?.describeSnapshot(this.appliedIndex) ?? null,
      snapshot: () => parts.machine.snapshot(),
      saved: (snapshot, compactTo) => this.snapshotSaved(snapshot, compactTo),
      failed: (reason, error) => this.fail(reason, error),
    });
  }

  /**
   * Replays the log and resolves when there is a leader and an entry of its term is applied here:
   * everything that was committed before its election is in the state machine then. A lone voter
   * elects itself on the way; other nodes wait for a leader. Rejects with IoError CORRUPT or FORMAT for a person to mend.
   */
  async start(): Promise<void> {
    const { io, ambient, machine, nodeId, directoryId } = this.parts;
    const log = await this.disk.openLog();
    const voters = this.parts.voters ?? [nodeId];
    const restored = await restoreController(io, this.disk, log, { nodeId, directoryId }, voters);
    if (this.stopped !== null) throw this.stopped;
    if (restored.state !== null) machine.restore(restored.state);
    this.appliedIndex = restored.disk.snapshot.index;
    this.appliedTerm = restored.disk.snapshot.term;
    this.raft = this.openRaft(restored.disk);
    ambient.logger.info("controller.restored", {
      snapshot: this.appliedIndex,
      entries: restored.disk.entries.length,
      term: restored.disk.hardState.term,
    });
    await new Promise<void>((resolve, reject) => {
      this.caughtUp = resolve;
      this.giveUp = reject;
      this.step({ kind: "tick" });
    });
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
    if (this.raft === null || this.stopped !== null) return;
    if (message.type === "installSnapshot" && !this.isCheckpoint(message.snapshot, checkpoint)) {
      return;
    }
    this.arrived = checkpoint;
    const answer = this.step({ kind: "message", message });
    this.arrived = null;
    if (answer.ok || answer.error.kind === "busy") return;
    this.parts.ambient.logger.error("controller.message-refused", {
      message: describeMessage(message),
      why: describeRefusal(answer.error),
    });
  }

  /** The transport has lost messages to `nodeId`. */
  unreachable(nodeId: number): void {
    if (this.raft !== null && this.stopped === null) this.step({ kind: "unreachable", to: nodeId });
  }

  /** The transport could not bring a checkpoint over to `nodeId`. */
  checkpointFailed(nodeId: number): void {
    if (this.raft === null || this.stopped !== null) return;
    this.step({ kind: "snapshotFailed", to: nodeId });
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

  private openRaft(disk: Restored): Raft {
    const { ambient, nodeId } = this.parts;
    const { electionTimeoutMs, heartbeatMs } = this.settings;
    const bytes = ambient.randomBytes(4);
    const seed = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    const options = { ...defaultOptions, electionTimeoutMs, heartbeatMs, id: nodeId, seed };
    try {
      return new Raft(options, disk, this.now());
    } catch (error) {
      if (error instanceof RestoreError) throw new IoError("CORRUPT", error.message);
      throw error;
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

  private tryStep(input: Input): Result<number, ControllerError> {
    const notYet = new ControllerError("NOT_LEADER", "the controller is starting");
    if (this.stopped !== null) return { ok: false, error: this.stopped };
    if (this.raft === null) return { ok: false, error: notYet };
    const answer = this.step(input);
    return answer.ok ? answer : { ok: false, error: controllerError(answer.error) };
  }

  /** The waiter is registered between step and pump: nothing can be applied before. */
  private proposed(input: Input): Promise<number> {
    const { raft, stopped } = this;
    if (stopped !== null) return Promise.reject(stopped);
    if (raft === null) {
      return Promise.reject(new ControllerError("NOT_LEADER", "the controller is starting"));
    }
    const answer = raft.step(input, this.now());
    if (!answer.ok) return Promise.reject(controllerError(answer.error));
    const applied = this.pending.addProposal(answer.value, raft.status().term);
    this.pump();
    return applied;
  }

  private completed(writes: readonly Persist[]): void {
    if (this.raft === null || this.stopped !== null) return;
    for (const { messages, ticket } of writes) {
      for (const message of messages) this.send(message);
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
    if (persist !== null) this.submit(persist);
    for (const message of outbox.messages) this.send(message);
    if (snapshotToInstall !== null) this.install(snapshotToInstall);
    for (const entry of outbox.committed) this.apply(entry);
    this.pending.readsConfirmed(outbox.reads, this.appliedIndex);
    this.pending.readsLost(outbox.readsLost);
    if (role !== null) this.roleChanged(role);
    this.arm(outbox.armDeadlineMs);
    this.considerStarted();
    if (outbox.committed.length > 0) this.snapshots.consider();
  }

  private submit(persist: Persist): void {
    const { snapshot } = persist;
    if (snapshot !== null && this.arrived !== null) {
      this.installing.set(checkpointName(snapshot), this.arrived);
    }
    this.disk.submit(persist, snapshot === null ? null : this.arrived);
  }

  private send(message: Message): void {
    if (message.type !== "installSnapshot") {
      this.peers.send(message, null);
      return;
    }
    const { snapshot, to } = message;
    this.disk.readCheckpoint(snapshot).then(
      (bytes) => {
        // A newer one has taken its place: the machine will offer that.
        if (bytes === null) this.checkpointFailed(to);
        else this.peers.send(message, bytes);
      },
      (error: unknown) => this.fail("a checkpoint cannot be read", error),
    );
  }

  private apply(entry: Entry): void {
    if (entry.kind === "normal") this.parts.machine.apply(entry.index, entry.data);
    this.appliedIndex = entry.index;
    this.snapshots.applied(entry.data.length);
    this.appliedTerm = entry.term;
    this.pending.applied(entry);
  }

  private considerStarted(): void {
    if (this.caughtUp === null) return;
    const { term, leader } = this.status();
    if (leader === null || this.appliedTerm !== term) return;
    this.caughtUp();
    this.caughtUp = null;
  }

  private install(snapshot: SnapshotMeta): void {
    const name = checkpointName(snapshot);
    const bytes = this.installing.get(name);
    assert(bytes !== undefined, "a snapshot is installed from the checkpoint that came with it");
    this.installing.clear();
    this.parts.machine.restore(decodeCheckpoint(bytes, name).state);
    this.appliedIndex = snapshot.index;
    this.appliedTerm = snapshot.term;
    this.pending.installed(snapshot.index);
    this.snapshots.installed(snapshot);
  }

  private snapshotSaved(snapshot: SnapshotMeta, compactTo: number): number | null {
    if (this.stopped !== null) return null;
    const answer = this.step({ kind: "snapshotSaved", snapshot, compactTo });
    return answer.ok ? answer.value : null;
  }

  private roleChanged(role: RoleChange): void {
    if (role.role !== "leader") this.pending.leadershipLost();
    this.parts.ambient.logger.info("controller.role", { ...role });
    this.parts.onLeaderChange?.(role);
  }

  private arm(deadlineMs: number | null): void {
    if (deadlineMs === this.armedMs) return;
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.armedMs = deadlineMs;
    if (deadlineMs === null) return;
    const delayMs = Math.max(0, deadlineMs - this.now());
    this.cancelTimer = this.parts.ambient.timers.after(delayMs, () => {
      this.armedMs = null;
      if (this.stopped === null) this.step({ kind: "tick" });
    });
  }

  private isCheckpoint(snapshot: SnapshotMeta, bytes: Uint8Array | null): boolean {
    try {
      if (bytes !== null) decodeCheckpoint(bytes, checkpointName(snapshot));
      return bytes !== null;
    } catch (error) {
      this.parts.ambient.logger.warn("controller.checkpoint-refused", { error: String(error) });
      return false;
    }
  }

  // --- the end ---

  private halt(error: ControllerError): void {
    if (this.stopped !== null) return;
    this.stopped = error;
    this.cancelTimer?.();
    this.pending.stop(error);
    this.giveUp?.(error);
  }

  private fail(reason: string, error: unknown): void {
    if (this.stopped !== null) return;
    this.halt(new ControllerError("STOPPED", reason));
    void this.disk.stop();
    this.parts.ambient.fatal(reason, error ?? undefined);
  }
}
