import { type LogId, assert } from "@mantou/base";

/** A log id without a slot. */
const NO_SLOT = -1;

/**
 * The state of open partitions, a column per property. Log ids are never reused, slots are: a
 * closed log costs the four bytes of its entry in `slots`.
 */
export class PartitionColumns {
  openCount = 0;
  roles = new Uint8Array(0);
  failed = new Uint8Array(0);
  marks = new Uint8Array(0);
  /** 1 while the history's newest epoch has no record and is not worth a file. */
  epochUnsaved = new Uint8Array(0);
  isrPending = new Uint8Array(0);
  inSyncCounts = new Uint16Array(0);
  leaderEpochs = new Int32Array(0);
  partitionEpochs = new Int32Array(0);
  logStarts = new Float64Array(0);
  logEnds = new Float64Array(0);
  writtenEnds = new Float64Array(0);
  durableEnds = new Float64Array(0);
  highWatermarks = new Float64Array(0);
  /** The log's end when this node began to lead. */
  epochStarts = new Float64Array(0);
  corruptFroms = new Float64Array(0);
  private slots = new Int32Array(0);
  private logIds = new Float64Array(0);
  private readonly freeSlots: number[] = [];
  private used = 0;

  slotOf(logId: LogId): number {
    return logId < this.slots.length ? (this.slots[logId] as number) : NO_SLOT;
  }

  /** A fresh slot, all zero. */
  add(logId: LogId): number {
    assert(this.slotOf(logId) === NO_SLOT, `log ${logId} is open already`);
    if (logId >= this.slots.length) {
      const grown = new Int32Array(Math.max(this.slots.length * 2, logId + 1, 64)).fill(NO_SLOT);
      grown.set(this.slots);
      this.slots = grown;
    }
    const slot = this.freeSlots.pop() ?? this.used++;
    if (slot >= this.roles.length) this.grow(Math.max(this.roles.length * 2, 64));
    this.slots[logId] = slot;
    this.logIds[slot] = logId;
    this.roles[slot] = 0;
    this.failed[slot] = 0;
    this.marks[slot] = 0;
    this.epochUnsaved[slot] = 0;
    this.isrPending[slot] = 0;
    this.partitionEpochs[slot] = 0;
    this.epochStarts[slot] = 0;
    this.openCount += 1;
    return slot;
  }

  remove(logId: LogId): void {
    const slot = this.slotOf(logId);
    assert(slot !== NO_SLOT, `log ${logId} is not open`);
    this.slots[logId] = NO_SLOT;
    this.logIds[slot] = NO_SLOT;
    this.freeSlots.push(slot);
    this.openCount -= 1;
  }

  *openSlots(): IterableIterator<readonly [LogId, number]> {
    for (let slot = 0; slot < this.used; slot += 1) {
      const logId = this.logIds[slot] as number;
      if (logId !== NO_SLOT) yield [logId as LogId, slot];
    }
  }

  private grow(capacity: number): void {
    this.roles = copied(this.roles, new Uint8Array(capacity));
    this.failed = copied(this.failed, new Uint8Array(capacity));
    this.marks = copied(this.marks, new Uint8Array(capacity));
    this.epochUnsaved = copied(this.epochUnsaved, new Uint8Array(capacity));
    this.isrPending = copied(this.isrPending, new Uint8Array(capacity));
    this.inSyncCounts = copied(this.inSyncCounts, new Uint16Array(capacity));
    this.leaderEpochs = copied(this.leaderEpochs, new Int32Array(capacity));
    this.partitionEpochs = copied(this.partitionEpochs, new Int32Array(capacity));
    this.logStarts = copied(this.logStarts, new Float64Array(capacity));
    this.logEnds = copied(this.logEnds, new Float64Array(capacity));
    this.writtenEnds = copied(this.writtenEnds, new Float64Array(capacity));
    this.durableEnds = copied(this.durableEnds, new Float64Array(capacity));
    this.highWatermarks = copied(this.highWatermarks, new Float64Array(capacity));
    this.epochStarts = copied(this.epochStarts, new Float64Array(capacity));
    this.corruptFroms = copied(this.corruptFroms, new Float64Array(capacity));
    this.logIds = copied(this.logIds, new Float64Array(capacity).fill(NO_SLOT));
  }
}

function copied<T extends Uint8Array | Uint16Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
