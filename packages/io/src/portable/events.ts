import { assert } from "@mantou/base";
import { EVENT_WORDS } from "../layout.ts";
import type { Table } from "../table.ts";
import type { Scheduler } from "./scheduler.ts";

/** Kind of a row that never leaves: it stands for a completion to run in its place. */
const COMPLETION = 0;

/** Events and completions in one order, and the bell. Grows with what is outstanding. */
export class EventQueue {
  private rows = new Uint32Array(1024 * EVENT_WORDS);
  private doubles = new Float64Array(this.rows.buffer);
  private capacity = 1024;
  private head = 0;
  private count = 0;
  private completions: (() => void)[] = [];
  private completionHead = 0;
  private bell: (() => void) | null = null;
  private armed = true;
  private discarding = false;

  constructor(private readonly scheduler: Scheduler) {}

  onEvents(bell: () => void): void {
    this.bell = bell;
    if (this.count > 0) this.ring();
  }

  /** Adds a row of zeros but for its kind; returns the index of its first word. */
  push(kind: number): number {
    if (this.count === this.capacity) this.grow();
    const row = (this.head + this.count) % this.capacity;
    const word = row * EVENT_WORDS;
    this.rows.fill(0, word, word + EVENT_WORDS);
    this.rows[word] = kind;
    this.count += 1;
    this.ring();
    return word;
  }

  setWord(at: number, field: number, value: number): void {
    this.rows[at + field] = value;
  }

  setDouble(at: number, field: number, value: number): void {
    this.doubles[(at >> 1) + field] = value;
  }

  /** Runs `completion` when the stream gets to this point. */
  complete(completion: () => void): void {
    this.completions.push(completion);
    this.push(COMPLETION);
  }

  /** See `Io.drain`. */
  drain(events: Table): number {
    assert(events.rowWords === EVENT_WORDS, "event table");
    let moved = 0;
    while (moved < events.capacity && this.count > 0) {
      const word = this.head * EVENT_WORDS;
      const isCompletion = this.rows[word] === COMPLETION;
      if (!isCompletion) {
        events.words.set(this.rows.subarray(word, word + EVENT_WORDS), moved * EVENT_WORDS);
        moved += 1;
      }
      this.head = (this.head + 1) % this.capacity;
      this.count -= 1;
      if (isCompletion) this.runCompletion();
    }
    if (moved < events.capacity) this.armed = true;
    return moved;
  }

  /** From now on rows are dropped and completions run by themselves: the reader has gone. */
  discard(): void {
    this.discarding = true;
    this.armed = true;
    if (this.count > 0) this.ring();
  }

  private ring(): void {
    if (!this.armed || (this.bell === null && !this.discarding)) return;
    this.armed = false;
    this.scheduler.soon(() => {
      if (this.discarding) this.dropAll();
      else this.bell?.();
    });
  }

  private dropAll(): void {
    while (this.count > 0) {
      const isCompletion = this.rows[this.head * EVENT_WORDS] === COMPLETION;
      this.head = (this.head + 1) % this.capacity;
      this.count -= 1;
      if (isCompletion) this.runCompletion();
    }
    this.armed = true;
  }

  private runCompletion(): void {
    const completion = this.completions[this.completionHead] as () => void;
    this.completionHead += 1;
    if (this.completionHead === this.completions.length) {
      this.completions = [];
      this.completionHead = 0;
    }
    completion();
  }

  private grow(): void {
    const rows = new Uint32Array(this.rows.length * 2);
    const split = this.head * EVENT_WORDS;
    rows.set(this.rows.subarray(split), 0);
    rows.set(this.rows.subarray(0, split), this.rows.length - split);
    this.rows = rows;
    this.doubles = new Float64Array(rows.buffer);
    this.capacity *= 2;
    this.head = 0;
  }
}
