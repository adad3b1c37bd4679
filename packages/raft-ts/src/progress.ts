/**
 * What a leader knows of one follower's log.
 *
 *            rejected                      accepted
 *   replicate ───────▶ probe ─────────────────────────▶ replicate
 *                       │ ▲
 *     entry is compacted│ │ snapshot failed or timed out
 *                       ▼ │
 *                     snapshot ── accepted at or above the log's base ──▶ replicate
 *
 * - probe: the common prefix is not known. One message at a time, then wait for its answer or for
 *   the next heartbeat's.
 * - replicate: it is known. Messages are pipelined: `next` moves when they are sent, up to the
 *   bounds on what is in flight.
 * - snapshot: the follower needs entries that are gone. Nothing is sent until it has the snapshot.
 *
 * Always 0 <= match < next.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

interface Inflight {
  readonly lastIndex: number;
  readonly bytes: number;
}

export class Progress {
  state: ProgressState = "probe";
  /** The highest index known to be on the follower's disk and equal to ours. */
  match = 0;
  next: number;
  /** probe: a message is out and unanswered. */
  probeSent = false;
  /** snapshot: which one, and when it counts as lost. */
  snapshotIndex = 0;
  snapshotDeadlineMs = 0;
  /** When a message of this term last came from it. */
  heardMs: number;
  /** The highest heartbeat round it has echoed. */
  roundEchoed = 0;
  /** The highest commit that was sent to it. */
  commitSent = 0;
  private inflights: Inflight[] = [];
  private inflightBytes = 0;

  constructor(next: number, nowMs: number) {
    this.next = next;
    // A fresh leader has heard from nobody; each gets one election timeout to say something.
    this.heardMs = nowMs;
  }

  get inflightCount(): number {
    return this.inflights.length;
  }

  isFull(messagesMax: number, bytesMax: number): boolean {
    return this.inflights.length >= messagesMax || this.inflightBytes >= bytesMax;
  }

  /** Notes an append message with `count` entries from `next` on. */
  sent(count: number, bytes: number): void {
    if (this.state === "probe") this.probeSent = true;
    if (this.state !== "replicate" || count === 0) return;
    this.next += count;
    this.inflights.push({ lastIndex: this.next - 1, bytes });
    this.inflightBytes += bytes;
  }

  /** An append was accepted up to `index`. */
  accepted(index: number): void {
    this.match = Math.max(this.match, index);
    this.next = Math.max(this.next, this.match + 1);
    let freed = 0;
    while ((this.inflights[freed]?.lastIndex ?? Number.POSITIVE_INFINITY) <= index) {
      this.inflightBytes -= (this.inflights[freed] as Inflight).bytes;
      freed += 1;
    }
    if (freed > 0) this.inflights.splice(0, freed);
  }

  /** An append at `prevIndex` was rejected; false when that is old news. */
  rejected(prevIndex: number, nextGuess: number): boolean {
    if (this.state === "snapshot" || prevIndex <= this.match) return false;
    if (this.state === "replicate") {
      this.becomeProbe();
      return true;
    }
    if (prevIndex !== this.next - 1) return false;
    this.next = Math.max(Math.min(prevIndex, nextGuess), this.match + 1);
    this.probeSent = false;
    return true;
  }

  becomeProbe(): void {
    this.enter("probe", this.match + 1);
  }

  becomeReplicate(): void {
    this.enter("replicate", this.match + 1);
  }

  becomeSnapshot(index: number, deadlineMs: number): void {
    this.enter("snapshot", this.match + 1);
    this.snapshotIndex = index;
    this.snapshotDeadlineMs = deadlineMs;
  }

  private enter(state: ProgressState, next: number): void {
    this.state = state;
    this.next = next;
    this.probeSent = false;
    this.snapshotIndex = 0;
    this.inflights = [];
    this.inflightBytes = 0;
  }
}
