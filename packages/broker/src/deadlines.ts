/**
 * A binary heap of (deadline, id). Ids are the caller's; cancelling is lazy: the caller ignores
 * an id that no longer waits. Bounded by the callers' own bounds (parked fetches, produces).
 */
export class Deadlines {
  private readonly dueMs: number[] = [];
  private readonly ids: number[] = [];

  get size(): number {
    return this.ids.length;
  }

  /** The earliest deadline, or Infinity. */
  get nextMs(): number {
    return this.dueMs[0] ?? Infinity;
  }

  add(dueMs: number, id: number): void {
    let child = this.ids.length;
    this.dueMs.push(dueMs);
    this.ids.push(id);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if ((this.dueMs[parent] as number) <= dueMs) break;
      this.swap(parent, child);
      child = parent;
    }
  }

  /** Drops ids that no longer wait; for callers whose deadlines are far and often cancelled. */
  retain(isWaiting: (id: number) => boolean): void {
    const dueMs = this.dueMs.slice();
    const ids = this.ids.slice();
    this.dueMs.length = 0;
    this.ids.length = 0;
    for (let index = 0; index < ids.length; index += 1) {
      const id = ids[index] as number;
      if (isWaiting(id)) this.add(dueMs[index] as number, id);
    }
  }

  /** Takes one id whose deadline is at or before `nowMs`, or -1. */
  takeDue(nowMs: number): number {
    if (this.nextMs > nowMs) return -1;
    const id = this.ids[0] as number;
    const lastMs = this.dueMs.pop() as number;
    const lastId = this.ids.pop() as number;
    if (this.ids.length > 0) {
      this.dueMs[0] = lastMs;
      this.ids[0] = lastId;
      this.sink();
    }
    return id;
  }

  private sink(): void {
    const count = this.ids.length;
    let parent = 0;
    for (;;) {
      const left = parent * 2 + 1;
      if (left >= count) return;
      const right = left + 1;
      const least =
        right < count && (this.dueMs[right] as number) < (this.dueMs[left] as number)
          ? right
          : left;
      if ((this.dueMs[parent] as number) <= (this.dueMs[least] as number)) return;
      this.swap(parent, least);
      parent = least;
    }
  }

  private swap(a: number, b: number): void {
    const ms = this.dueMs[a] as number;
    this.dueMs[a] = this.dueMs[b] as number;
    this.dueMs[b] = ms;
    const id = this.ids[a] as number;
    this.ids[a] = this.ids[b] as number;
    this.ids[b] = id;
  }
}
