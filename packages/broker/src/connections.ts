/** What is known of one open connection. Slots are reused; the generation tells uses apart. */
export interface Connection {
  readonly generation: number;
  readonly listenerId: number;
}

/** Open connections by slot. Bounded by the network's own connection limit. */
export class Connections {
  private readonly bySlot = new Map<number, Connection>();

  get count(): number {
    return this.bySlot.size;
  }

  opened(slot: number, generation: number, listenerId: number): void {
    this.bySlot.set(slot, { generation, listenerId });
  }

  closed(slot: number, generation: number): void {
    if (this.bySlot.get(slot)?.generation === generation) this.bySlot.delete(slot);
  }

  /** The connection, or undefined when that generation is gone. */
  get(slot: number, generation: number): Connection | undefined {
    const connection = this.bySlot.get(slot);
    return connection?.generation === generation ? connection : undefined;
  }
}
