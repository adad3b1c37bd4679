import { assert } from "@mantou/base";
import type { StoredBatch } from "./memory-log.ts";

/**
 * File ranges that were promised to a reader. A pin keeps the batches themselves, so that a
 * truncation or deletion cannot change what was promised.
 */
export class PinTable {
  private readonly pins = new Map<number, { position: number; batches: readonly StoredBatch[] }>();
  private last = 0;

  get size(): number {
    return this.pins.size;
  }

  /** @param position of the first batch in its file. */
  add(position: number, batches: readonly StoredBatch[]): number {
    do {
      this.last = (this.last + 1) >>> 0;
    } while (this.last === 0 || this.pins.has(this.last));
    this.pins.set(this.last, { position, batches });
    return this.last;
  }

  /** Copies a range of the pinned file into `target` at `at`. */
  copy(pin: number, position: number, length: number, target: Uint8Array, at: number): void {
    const range = this.pins.get(pin);
    assert(range !== undefined, `pin ${pin} is not held`);
    let start = range.position;
    let copied = 0;
    for (const batch of range.batches) {
      const from = Math.max(0, position - start);
      const until = Math.min(batch.bytes.length, position + length - start);
      if (from < until) {
        target.set(batch.bytes.subarray(from, until), at + copied);
        copied += until - from;
      }
      start += batch.bytes.length;
    }
    assert(copied === length, `range ${position}+${length} is not within pin ${pin}`);
  }

  release(pin: number): void {
    const held = this.pins.delete(pin);
    assert(held, `pin ${pin} is not held`);
  }

  clear(): void {
    this.pins.clear();
  }
}
