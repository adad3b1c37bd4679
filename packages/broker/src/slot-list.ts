import { assert } from "@mantou/base";

/**
 * Things that come and go all the time, each in a slot that it remembers. Not a Set: a table that
 * a Set has outgrown keeps what it held alive until a full collection (see `Waiters`).
 */
export class SlotList<T> {
  private readonly items: (T | null)[] = [];
  private readonly free: number[] = [];

  get size(): number {
    return this.items.length - this.free.length;
  }

  /** Takes an item; gives its slot. */
  add(item: T): number {
    const slot = this.free.pop() ?? this.items.length;
    this.items[slot] = item;
    return slot;
  }

  get(slot: number): T {
    const item = this.items[slot];
    assert(item !== null && item !== undefined, `slot ${slot} is empty`);
    return item;
  }

  /** Empties a slot that is in use; gives what was in it. */
  remove(slot: number): T {
    const item = this.get(slot);
    this.items[slot] = null;
    this.free.push(slot);
    return item;
  }

  /** Slots of the items that a test accepts. */
  slotsOf(accepts: (item: T) => boolean): number[] {
    return this.items.flatMap((item, slot) => (item !== null && accepts(item) ? [slot] : []));
  }

  *values(): IterableIterator<T> {
    for (const item of this.items) if (item !== null) yield item;
  }
}
