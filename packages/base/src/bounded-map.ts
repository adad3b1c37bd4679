/** A map with a fixed number of entries. `set` refuses a new key when full. */
export class BoundedMap<K, V> {
  private readonly entriesByKey = new Map<K, V>();

  constructor(readonly capacity: number) {}

  get size(): number {
    return this.entriesByKey.size;
  }

  get(key: K): V | undefined {
    return this.entriesByKey.get(key);
  }

  has(key: K): boolean {
    return this.entriesByKey.has(key);
  }

  /** Stores; false when the key is new and the map is full. */
  set(key: K, value: V): boolean {
    if (!this.entriesByKey.has(key) && this.entriesByKey.size >= this.capacity) return false;
    this.entriesByKey.set(key, value);
    return true;
  }

  delete(key: K): boolean {
    return this.entriesByKey.delete(key);
  }

  /** Entries in the order of their first insertion. */
  entries(): IterableIterator<[K, V]> {
    return this.entriesByKey.entries();
  }
}
