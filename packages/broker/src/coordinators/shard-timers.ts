import type { TimerChange } from "@mantou/base";

interface Timer<Owner, Command> {
  readonly owner: Owner;
  readonly key: string;
  dueMs: number;
  command: Command;
  /** Where the heap holds it; an entry with another due time is stale. Infinity: nowhere. */
  heapDueMs: number;
}

/** A timer that is over, taken out of the set. */
export interface FiredTimer<Owner, Command> {
  readonly owner: Owner;
  readonly command: Command;
}

/** Stale entries beside the live ones at which the heap is made anew. */
const STALE_MIN = 1024;

/**
 * The timers of all shards in one heap. Setting one again, as each heartbeat does, only moves its
 * due time: its place in the heap is put right when it comes up.
 */
export class ShardTimers<Owner extends object, Command> {
  private readonly heap: { readonly dueMs: number; readonly timer: Timer<Owner, Command> }[] = [];
  /** Entries come with members and groups, not with requests. */
  private readonly byOwner = new Map<Owner, Map<string, Timer<Owner, Command>>>();
  private live = 0;

  /** Timers that are set. */
  get size(): number {
    return this.live;
  }

  /** Not later than the earliest due time; Infinity when nothing is set. */
  get nextMs(): number {
    return this.heap[0]?.dueMs ?? Infinity;
  }

  change(owner: Owner, change: TimerChange<Command>): void {
    if (change.kind === "cancel") {
      const timers = this.byOwner.get(owner);
      const timer = timers?.get(change.key);
      if (timer === undefined) return;
      timers?.delete(change.key);
      timer.heapDueMs = Infinity;
      this.live -= 1;
      this.sweep();
      return;
    }
    this.set(owner, change.key, change.dueMs, change.command);
  }

  /** Forgets everything of an owner. */
  forget(owner: Owner): void {
    const timers = this.byOwner.get(owner);
    if (timers === undefined) return;
    this.byOwner.delete(owner);
    this.live -= timers.size;
    for (const timer of timers.values()) timer.heapDueMs = Infinity;
    this.sweep();
  }

  /** Takes one timer that is due at or before `nowMs`, or null. */
  takeDue(nowMs: number): FiredTimer<Owner, Command> | null {
    while (this.nextMs <= nowMs) {
      const { dueMs, timer } = this.pop();
      if (timer.heapDueMs !== dueMs) continue;
      if (timer.dueMs > dueMs) {
        this.push(timer);
        continue;
      }
      timer.heapDueMs = Infinity;
      this.byOwner.get(timer.owner)?.delete(timer.key);
      this.live -= 1;
      return { owner: timer.owner, command: timer.command };
    }
    return null;
  }

  private set(owner: Owner, key: string, dueMs: number, command: Command): void {
    let timers = this.byOwner.get(owner);
    if (timers === undefined) {
      timers = new Map();
      this.byOwner.set(owner, timers);
    }
    const known = timers.get(key);
    if (known !== undefined) {
      known.dueMs = dueMs;
      known.command = command;
      // Later: the entry stands and is moved when it comes up.
      if (dueMs < known.heapDueMs) this.push(known);
      return;
    }
    const timer = { owner, key, dueMs, command, heapDueMs: Infinity };
    timers.set(key, timer);
    this.live += 1;
    this.push(timer);
  }

  private push(timer: Timer<Owner, Command>): void {
    const { heap } = this;
    timer.heapDueMs = timer.dueMs;
    const entry = { dueMs: timer.dueMs, timer };
    let child = heap.length;
    heap.push(entry);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = heap[parent] as typeof entry;
      if (above.dueMs <= entry.dueMs) break;
      heap[child] = above;
      child = parent;
    }
    heap[child] = entry;
    this.sweep();
  }

  private pop(): { readonly dueMs: number; readonly timer: Timer<Owner, Command> } {
    const { heap } = this;
    const first = heap[0] as (typeof heap)[number];
    const last = heap.pop() as typeof first;
    if (heap.length > 0) this.sink(last);
    return first;
  }

  /** Puts an entry in at the top and lets it sink to its place. */
  private sink(entry: { readonly dueMs: number; readonly timer: Timer<Owner, Command> }): void {
    const { heap } = this;
    let parent = 0;
    for (;;) {
      const left = parent * 2 + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const leftDueMs = (heap[left] as typeof entry).dueMs;
      const rightDueMs = heap[right]?.dueMs ?? Infinity;
      const least = rightDueMs < leftDueMs ? right : left;
      const below = heap[least] as typeof entry;
      if (entry.dueMs <= below.dueMs) break;
      heap[parent] = below;
      parent = least;
    }
    heap[parent] = entry;
  }

  /** Cancelled timers leave entries behind; once they outnumber the others the heap is made anew. */
  private sweep(): void {
    if (this.heap.length < STALE_MIN + 2 * this.live) return;
    const entries = this.heap.filter(({ dueMs, timer }) => timer.heapDueMs === dueMs);
    entries.sort((a, b) => a.dueMs - b.dueMs);
    this.heap.length = 0;
    // A sorted list is a heap.
    this.heap.push(...entries);
  }
}
