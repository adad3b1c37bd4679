/** How many of the last lines are kept for the report of a failure. */
const LAST_LINES = 400;

/**
 * What happened, a line each, and a running hash of all lines. Two runs with the same hash were
 * the same run.
 */
export class Trace {
  lines = 0;
  private running = 0n;
  private readonly last: string[] = [];

  constructor(
    private readonly nowMs: () => number,
    /** Takes every line; for a file. */
    private readonly sink: ((line: string) => void) | null = null,
  ) {}

  get hash(): string {
    return this.running.toString(16).padStart(16, "0");
  }

  /** The last lines, oldest first. */
  get tail(): readonly string[] {
    const from = this.lines % LAST_LINES;
    return [...this.last.slice(from), ...this.last.slice(0, from)];
  }

  add(who: string, text: string): void {
    const line = `${this.nowMs().toFixed(3)} ${who} ${text}`;
    this.running = Bun.hash.wyhash(line, this.running);
    this.last[this.lines % LAST_LINES] = line;
    this.lines += 1;
    this.sink?.(line);
  }
}
