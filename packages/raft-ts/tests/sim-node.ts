import type {
  Entry,
  Input,
  Message,
  NodeId,
  Outbox,
  Persist,
  Raft,
  SnapshotMeta,
} from "../src/index.ts";
import { bootstrap, defaultOptions } from "../src/index.ts";

/** A rolling digest of everything applied, so that two equal states have equal histories. */
export interface AppState {
  index: number;
  digest: number;
}

export interface StoredSnapshot {
  readonly meta: SnapshotMeta;
  readonly state: AppState;
}

/** What survives a crash. */
export interface Disk {
  hardState: { term: number; votedFor: NodeId | null };
  snapshot: StoredSnapshot;
  /** Continues at `entries[0].index`, which is the snapshot's index + 1 or lower. */
  entries: Entry[];
}

/** What a message needs beside itself: the bytes of the snapshot that it names. */
export interface Envelope {
  readonly message: Message;
  readonly state: AppState | null;
}

export type RaftClass = typeof Raft;

export const simOptions = {
  ...defaultOptions,
  electionTimeoutMs: 100,
  heartbeatMs: 20,
  messageBytesMax: 200,
  inflightMessagesMax: 4,
  inflightBytesMax: 1_000,
  uncommittedBytesMax: 4_000,
  proposalBytesMax: 1_000,
  promotionLagMax: 5,
  snapshotTimeoutMs: 300,
};

export function digestOf(state: AppState, entry: Entry): number {
  let hash = Math.imul(state.digest ^ entry.index, 0x01000193) ^ Math.imul(entry.term, 0x9e3779b1);
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** What the node's owner wants to see. */
export interface Watcher {
  /** Messages that may leave now. */
  send(node: SimNode, envelope: Envelope): void;
  outbox(node: SimNode, outbox: Outbox): void;
  applied(node: SimNode, entry: Entry): void;
}

/** A driver as dull as they come: it carries out outboxes on a disk whose time somebody else decides. */
export class SimNode {
  raft: Raft | null = null;
  readonly disk: Disk;
  readonly writes: Persist[] = [];
  app: AppState = { index: 0, digest: 0 };
  armed: number | null = null;
  private readonly staged = new Map<string, AppState>();
  private starts = 0;

  constructor(
    readonly id: NodeId,
    voters: readonly NodeId[],
    private readonly RaftImpl: RaftClass,
    private readonly watcher: Watcher,
    private readonly seed: number,
    private readonly options: Partial<typeof simOptions> = {},
  ) {
    const fresh = bootstrap(voters);
    this.disk = {
      hardState: fresh.hardState,
      snapshot: { meta: fresh.snapshot, state: { index: 0, digest: 0 } },
      entries: [],
    };
  }

  get isUp(): boolean {
    return this.raft !== null;
  }

  start(now: number): void {
    const { hardState, snapshot, entries } = this.disk;
    this.starts += 1;
    const options = {
      ...simOptions,
      ...this.options,
      id: this.id,
      seed: this.seed * 7_919 + this.id * 101 + this.starts,
    };
    const disk = { hardState, snapshot: snapshot.meta, entries: [...entries] };
    this.raft = new this.RaftImpl(options, disk, now);
    this.app = { ...snapshot.state };
    this.pump();
  }

  /**
   * Power loss. Writes that were not reported as complete may still have reached the disk:
   * `whole` of them did, and the one after it up to `part` of its steps.
   */
  crash(whole: number, part: number): void {
    for (const write of this.writes.slice(0, whole)) this.write(write, Number.POSITIVE_INFINITY);
    const torn = this.writes[whole];
    if (torn !== undefined) this.write(torn, part);
    this.raft = null;
    this.writes.length = 0;
    this.armed = null;
    this.staged.clear();
  }

  /** Steps one input and carries out what can be carried out at once. */
  step(input: Input, now: number): ReturnType<Raft["step"]> {
    const answer = (this.raft as Raft).step(input, now);
    this.pump();
    return answer;
  }

  receive(envelope: Envelope, now: number): ReturnType<Raft["step"]> {
    const { message, state } = envelope;
    if (message.type === "installSnapshot" && state !== null) {
      this.staged.set(keyOf(message.snapshot), state);
    }
    return this.step({ kind: "message", message }, now);
  }

  /** The oldest write reaches the disk: its messages leave, and the core hears of it. */
  completeWrite(now: number): void {
    const write = this.writes.shift();
    if (write === undefined) return;
    this.write(write, Number.POSITIVE_INFINITY);
    for (const message of write.messages) this.send(message);
    this.step({ kind: "persisted", ticket: write.ticket }, now);
  }

  /** Saves the state machine, and lets go of all but `keep` entries behind the snapshot. */
  takeSnapshot(keep: number, now: number): boolean {
    const raft = this.raft as Raft;
    const meta = raft.describeSnapshot(this.app.index);
    if (meta === null || meta.index <= this.disk.snapshot.meta.index) return false;
    this.disk.snapshot = { meta, state: { ...this.app } };
    const compactTo = Math.max(0, meta.index - keep);
    const answer = this.step({ kind: "snapshotSaved", snapshot: meta, compactTo }, now);
    if (!answer.ok) throw new Error(`a fresh snapshot was refused: ${answer.error.kind}`);
    const base = answer.value;
    this.disk.entries = this.disk.entries.filter((entry) => entry.index > base);
    return true;
  }

  private pump(): void {
    const outbox = (this.raft as Raft).take();
    this.armed = outbox.armDeadlineMs;
    if (outbox.persist !== null) this.writes.push(outbox.persist);
    this.watcher.outbox(this, outbox);
    for (const message of outbox.messages) this.send(message);
    if (outbox.snapshotToInstall !== null) {
      if (this.disk.snapshot.meta.index !== outbox.snapshotToInstall.index) {
        throw new Error("a snapshot is to be installed that is not on disk");
      }
      this.app = { ...this.disk.snapshot.state };
    }
    for (const entry of outbox.committed) {
      if (entry.index !== this.app.index + 1) throw new Error("entries are applied in order");
      this.app = { index: entry.index, digest: digestOf(this.app, entry) };
      this.watcher.applied(this, entry);
    }
  }

  private send(message: Message): void {
    // The snapshot on disk may be newer than the message's: then the driver has nothing to send.
    const stored = this.disk.snapshot;
    if (message.type !== "installSnapshot") this.watcher.send(this, { message, state: null });
    else if (keyOf(message.snapshot) === keyOf(stored.meta)) {
      this.watcher.send(this, { message, state: { ...stored.state } });
    }
  }

  /** Steps in the order that the contract names; `part` of them, an entry being a step of its own. */
  private write(write: Persist, part: number): void {
    const { disk } = this;
    let left = part;
    const mayStep = (): boolean => left-- > 0;
    if (write.hardState !== null && mayStep()) disk.hardState = write.hardState;
    if (write.snapshot !== null) {
      const state = this.staged.get(keyOf(write.snapshot));
      if (state !== undefined && mayStep()) disk.snapshot = { meta: write.snapshot, state };
      if (mayStep()) disk.entries = [];
    }
    if (write.truncateFrom !== null && mayStep()) {
      const from = write.truncateFrom;
      disk.entries = disk.entries.filter((entry) => entry.index < from);
    }
    for (const entry of write.entries) if (mayStep()) disk.entries.push(entry);
  }
}

const keyOf = (meta: SnapshotMeta): string => `${meta.index}/${meta.term}`;
