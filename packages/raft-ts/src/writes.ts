import { assert } from "@mantou/base";
import type { RaftLog } from "./log.ts";
import type { Message } from "./messages.ts";
import type { Persist } from "./outbox.ts";
import type { Entry, HardState, SnapshotMeta } from "./types.ts";

interface Outstanding {
  readonly ticket: number;
  readonly hardState: HardState | null;
  readonly snapshot: SnapshotMeta | null;
  /** Up to here the log is on disk when this write is; lowered when it is truncated below. */
  lastIndex: number;
}

const sameHardState = (a: HardState, b: HardState): boolean =>
  a.term === b.term && a.votedFor === b.votedFor;

/**
 * What the disk has, what is on its way there, and what still has to go. The disk is a peer that
 * answers late: nothing here waits for it.
 */
export class Writes {
  /** Everything up to here is on disk and still in the log. 0 while a snapshot is on its way. */
  stableIndex: number;
  /** The hard state on disk. */
  durable: HardState;
  private issued: HardState;
  private issuedLast: number;
  private truncateFrom: number | null = null;
  private snapshot: SnapshotMeta | null = null;
  private messages: Message[] = [];
  private ticket = 0;
  private outstanding: Outstanding[] = [];

  constructor(hardState: HardState, lastIndex: number) {
    this.durable = hardState;
    this.issued = hardState;
    this.stableIndex = lastIndex;
    this.issuedLast = lastIndex;
  }

  get outstandingCount(): number {
    return this.outstanding.length;
  }

  /** Whether this hard state, and nothing newer, is on disk. */
  isDurable(hardState: HardState): boolean {
    return sameHardState(this.durable, hardState);
  }

  /** Hangs a message from the next write. */
  hang(message: Message): void {
    this.messages.push(message);
  }

  /** Entries at and above `index` have been dropped from the log. */
  noteTruncate(index: number): void {
    if (index <= this.issuedLast) {
      this.truncateFrom = Math.min(this.truncateFrom ?? index, index);
      this.issuedLast = index - 1;
    }
    this.stableIndex = Math.min(this.stableIndex, index - 1);
    for (const write of this.outstanding) write.lastIndex = Math.min(write.lastIndex, index - 1);
  }

  /** The log has been replaced by a snapshot. */
  noteSnapshot(snapshot: SnapshotMeta): void {
    this.snapshot = snapshot;
    this.truncateFrom = null;
    this.issuedLast = snapshot.index;
    this.stableIndex = 0;
    for (const write of this.outstanding) write.lastIndex = 0;
  }

  /** After a crash in the middle of a snapshot's write: the snapshot is there, the log is not reset. */
  noteReset(snapshot: SnapshotMeta): void {
    this.snapshot = snapshot;
  }

  /** The next write, or null when there is neither something to write nor a message waiting. */
  take(hardState: HardState, log: RaftLog): Persist | null {
    const changed = !sameHardState(this.issued, hardState);
    const entries: Entry[] =
      log.lastIndex > this.issuedLast ? log.slice(this.issuedLast + 1, log.lastIndex) : [];
    const idle = this.snapshot === null && this.truncateFrom === null && entries.length === 0;
    if (idle && !changed && this.messages.length === 0) return null;
    this.ticket += 1;
    const persist: Persist = {
      ticket: this.ticket,
      hardState: changed ? hardState : null,
      snapshot: this.snapshot,
      truncateFrom: this.truncateFrom,
      entries,
      messages: this.messages,
    };
    this.outstanding.push({
      ticket: this.ticket,
      hardState: persist.hardState,
      snapshot: this.snapshot,
      lastIndex: log.lastIndex,
    });
    this.issued = hardState;
    this.issuedLast = log.lastIndex;
    this.truncateFrom = null;
    this.snapshot = null;
    this.messages = [];
    return persist;
  }

  /** Writes up to `ticket` are on disk. Returns the snapshot among them that counts, if any. */
  complete(ticket: number): SnapshotMeta | null {
    assert(ticket <= this.ticket, "only writes that were handed out complete");
    let installed: SnapshotMeta | null = null;
    while ((this.outstanding[0]?.ticket ?? Number.POSITIVE_INFINITY) <= ticket) {
      const write = this.outstanding.shift() as Outstanding;
      if (write.hardState !== null) this.durable = write.hardState;
      if (write.snapshot !== null) installed = write.snapshot;
      this.stableIndex = Math.max(this.stableIndex, write.lastIndex);
    }
    return installed;
  }
}
