const SECOND_MS = 1000;

/**
 * Lets so many log lines of one kind through in a second, and counts the others: whoever can make
 * the broker write a line must not be able to make it write a million.
 */
export class LineLimit {
  private startedMs = -Infinity;
  private lines = 0;
  private heldBack = 0;

  constructor(private readonly linesPerSecond: number) {}

  /** How many lines were held back since the last one that was not; -1: hold this one back. */
  take(nowMs: number): number {
    if (nowMs - this.startedMs >= SECOND_MS) {
      this.startedMs = nowMs;
      this.lines = 0;
    }
    if (this.lines >= this.linesPerSecond) {
      this.heldBack += 1;
      return -1;
    }
    this.lines += 1;
    const { heldBack } = this;
    this.heldBack = 0;
    return heldBack;
  }
}
