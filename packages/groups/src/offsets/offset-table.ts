/** Values by group, topic and partition. Empty levels are not kept. */
export class OffsetTable<V> {
  private readonly byGroup = new Map<string, Map<string, Map<number, V>>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(group: string, topic: string, partition: number): V | undefined {
    return this.byGroup.get(group)?.get(topic)?.get(partition);
  }

  /** The group's topics with their partitions; undefined where it has none. */
  topicsOf(group: string): ReadonlyMap<string, ReadonlyMap<number, V>> | undefined {
    return this.byGroup.get(group);
  }

  groups(): IterableIterator<string> {
    return this.byGroup.keys();
  }

  set(group: string, topic: string, partition: number, value: V): void {
    let topics = this.byGroup.get(group);
    if (topics === undefined) this.byGroup.set(group, (topics = new Map()));
    let partitions = topics.get(topic);
    if (partitions === undefined) topics.set(topic, (partitions = new Map()));
    const before = partitions.size;
    partitions.set(partition, value);
    this.count += partitions.size - before;
  }

  delete(group: string, topic: string, partition: number): boolean {
    const topics = this.byGroup.get(group);
    const partitions = topics?.get(topic);
    if (topics === undefined || partitions?.delete(partition) !== true) return false;
    this.count--;
    if (partitions.size > 0) return true;
    topics.delete(topic);
    if (topics.size === 0) this.byGroup.delete(group);
    return true;
  }

  forEach(visit: (group: string, topic: string, partition: number, value: V) => void): void {
    for (const [group, topics] of this.byGroup) {
      for (const [topic, partitions] of topics) {
        for (const [partition, value] of partitions) visit(group, topic, partition, value);
      }
    }
  }
}
