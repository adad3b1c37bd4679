import type { Uuid } from "@mantou/base";
import { assert } from "@mantou/base";
import { OffsetTable } from "./offset-table.ts";

/** A committed position. */
export interface CommittedOffset {
  readonly offset: number;
  /** Of the last record that was consumed; -1: not known. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly commitTimestampMs: number;
  /** When clients of old wanted it gone; -1: when the group's retention says so. */
  readonly expireTimestampMs: number;
  /** Zero where it was not known. */
  readonly topicId: Uuid;
}

/** An offset with its place in the order of all commits of the shard, which is the log's. */
interface Placed {
  readonly committed: CommittedOffset;
  readonly place: number;
}

/**
 * What groups of the shard have committed, and what open transactions would commit. A commit
 * that is part of a transaction is pending until the transaction's marker: then it counts, unless
 * a later commit for the same partition was stored meanwhile.
 */
export class OffsetStore {
  private readonly stored = new OffsetTable<Placed>();
  /** By producer id. */
  private readonly pending = new Map<number, OffsetTable<Placed>>();
  /** Producers with a pending offset for the partition. */
  private readonly open = new OffsetTable<Set<number>>();
  private place = 0;
  private pendingCount = 0;

  /** Offsets that are kept, pending ones too. */
  get size(): number {
    return this.stored.size + this.pendingCount;
  }

  get(group: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.stored.get(group, topic, partition)?.committed;
  }

  hasPending(group: string, topic: string, partition: number): boolean {
    return this.open.get(group, topic, partition) !== undefined;
  }

  /** Whether the group has any offset, stored or pending. */
  has(group: string): boolean {
    return this.stored.topicsOf(group) !== undefined || this.hasOpenTransaction(group);
  }

  hasOpenTransaction(group: string): boolean {
    return this.open.topicsOf(group) !== undefined;
  }

  /** Groups with an offset, stored or pending. */
  groups(): Set<string> {
    return new Set([...this.stored.groups(), ...this.open.groups()]);
  }

  /** Stored offsets of a group. The visitor may remove what it is shown. */
  forEachOf(
    group: string,
    visit: (topic: string, partition: number, committed: CommittedOffset) => void,
  ): void {
    for (const [topic, partitions] of this.stored.topicsOf(group) ?? []) {
      for (const [partition, placed] of partitions) visit(topic, partition, placed.committed);
    }
  }

  /** Partitions for which the group has something, stored or pending, each once. */
  partitionsOf(group: string): { topic: string; partition: number }[] {
    const found: { topic: string; partition: number }[] = [];
    this.forEachOf(group, (topic, partition) => found.push({ topic, partition }));
    for (const [topic, partitions] of this.open.topicsOf(group) ?? []) {
      for (const partition of partitions.keys()) {
        if (this.stored.get(group, topic, partition) === undefined)
          found.push({ topic, partition });
      }
    }
    return found;
  }

  /** What the group has stored for a topic. */
  storedOf(group: string, topic: string): { partition: number; committed: CommittedOffset }[] {
    const partitions = this.stored.topicsOf(group)?.get(topic) ?? [];
    return [...partitions].map(([partition, { committed }]) => ({ partition, committed }));
  }

  /** What transactions of the group would store for a topic; a partition may come repeatedly. */
  pendingOf(group: string, topic: string): { partition: number; committed: CommittedOffset }[] {
    const found: { partition: number; committed: CommittedOffset }[] = [];
    for (const [partition, producers] of this.open.topicsOf(group)?.get(topic) ?? []) {
      for (const producerId of producers) {
        const placed = this.pending.get(producerId)?.get(group, topic, partition);
        if (placed !== undefined) found.push({ partition, committed: placed.committed });
      }
    }
    return found;
  }

  put(group: string, topic: string, partition: number, committed: CommittedOffset): void {
    this.stored.set(group, topic, partition, { committed, place: ++this.place });
  }

  putPending(
    producerId: number,
    group: string,
    topic: string,
    partition: number,
    committed: CommittedOffset,
  ): void {
    let table = this.pending.get(producerId);
    if (table === undefined) this.pending.set(producerId, (table = new OffsetTable()));
    const before = table.size;
    table.set(group, topic, partition, { committed, place: ++this.place });
    this.pendingCount += table.size - before;
    const producers = this.open.get(group, topic, partition);
    if (producers === undefined) this.open.set(group, topic, partition, new Set([producerId]));
    else producers.add(producerId);
  }

  /** Takes away what is stored and what is pending. @returns whether there was anything. */
  remove(group: string, topic: string, partition: number): boolean {
    const had = this.stored.delete(group, topic, partition);
    const producers = this.open.get(group, topic, partition);
    if (producers === undefined) return had;
    for (const producerId of producers) {
      const table = this.pending.get(producerId);
      if (table?.delete(group, topic, partition) !== true) continue;
      this.pendingCount--;
      if (table.size === 0) this.pending.delete(producerId);
    }
    this.open.delete(group, topic, partition);
    return true;
  }

  /** Ends the producer's transaction. @returns the groups that had pending offsets of it. */
  endTransaction(producerId: number, isCommit: boolean): Set<string> {
    const groups = new Set<string>();
    const table = this.pending.get(producerId);
    if (table === undefined) return groups;
    this.pending.delete(producerId);
    this.pendingCount -= table.size;
    table.forEach((group, topic, partition, placed) => {
      groups.add(group);
      const producers = this.open.get(group, topic, partition);
      producers?.delete(producerId);
      if (producers?.size === 0) this.open.delete(group, topic, partition);
      if (!isCommit) return;
      const known = this.stored.get(group, topic, partition);
      if (known === undefined || placed.place > known.place) {
        this.stored.set(group, topic, partition, placed);
      }
    });
    return groups;
  }

  checkInvariants(): void {
    let pendingCount = 0;
    for (const [producerId, table] of this.pending) {
      assert(table.size > 0, "a producer without pending offsets is forgotten");
      pendingCount += table.size;
      table.forEach((group, topic, partition) => {
        const producers = this.open.get(group, topic, partition);
        assert(producers?.has(producerId) === true, "a pending offset is known by its partition");
      });
    }
    assert(pendingCount === this.pendingCount, "pending offsets are counted");
    let openCount = 0;
    this.open.forEach((_group, _topic, _partition, producers) => {
      assert(producers.size > 0, "an open partition has a producer");
      openCount += producers.size;
    });
    assert(openCount === pendingCount, "each open partition has its pending offset");
  }
}
