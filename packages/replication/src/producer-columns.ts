import type { LogId } from "@mantou/base";

/** Batches that are remembered of each producer: what a client may have in flight (KIP-98). */
export const BATCHES_REMEMBERED = 5;

/** No entry. */
export const NONE = -1;

/** Buckets per entry of capacity. */
const BUCKETS_PER_ENTRY = 2;
const CAPACITY_MIN = 64;

/**
 * Producers of all partitions, a column per property. An entry is found by (log, producer id) in
 * a hash table of chains, and stands in two lists from the latest to the longest idle one: that
 * of its log and that of all logs.
 */
export class ProducerColumns {
  count = 0;
  producerIds = new Float64Array(CAPACITY_MIN);
  logIds = new Uint32Array(CAPACITY_MIN);
  /** -1: only the id is known. */
  epochs = new Int32Array(CAPACITY_MIN);
  coordinatorEpochs = new Int32Array(CAPACITY_MIN);
  /** First offset of the open transaction, or -1. */
  transactionOffsets = new Float64Array(CAPACITY_MIN);
  activeMs = new Float64Array(CAPACITY_MIN);
  /** Remembered batches, and which of the places holds the newest. */
  batchCounts = new Uint8Array(CAPACITY_MIN);
  newestBatches = new Uint8Array(CAPACITY_MIN);
  /** Batch columns: `BATCHES_REMEMBERED` places to an entry, used as a ring. */
  lastSequences = new Int32Array(CAPACITY_MIN * BATCHES_REMEMBERED);
  sequenceDeltas = new Int32Array(CAPACITY_MIN * BATCHES_REMEMBERED);
  lastOffsets = new Float64Array(CAPACITY_MIN * BATCHES_REMEMBERED);
  timestamps = new Float64Array(CAPACITY_MIN * BATCHES_REMEMBERED);
  /** Entries of a log, by log id. */
  private logCounts = new Int32Array(0);
  private logLatest = new Int32Array(0);
  private logOldest = new Int32Array(0);
  private latest = NONE;
  private oldest = NONE;
  private buckets = new Int32Array(CAPACITY_MIN * BUCKETS_PER_ENTRY).fill(NONE);
  private chains = new Int32Array(CAPACITY_MIN);
  private newerInLog = new Int32Array(CAPACITY_MIN);
  private olderInLog = new Int32Array(CAPACITY_MIN);
  private newer = new Int32Array(CAPACITY_MIN);
  private older = new Int32Array(CAPACITY_MIN);
  private free = NONE;
  private used = 0;

  find(logId: LogId, producerId: number): number {
    let entry = this.buckets[this.bucketOf(logId, producerId)] as number;
    while (entry !== NONE) {
      if (this.producerIds[entry] === producerId && this.logIds[entry] === logId) return entry;
      entry = this.chains[entry] as number;
    }
    return NONE;
  }

  countOf(logId: LogId): number {
    return logId < this.logCounts.length ? (this.logCounts[logId] as number) : 0;
  }

  /** A new entry without batches, the latest of its log and of all. */
  add(logId: LogId, producerId: number): number {
    let entry = this.free;
    if (entry === NONE) {
      if (this.used === this.producerIds.length) this.grow();
      entry = this.used++;
    } else {
      this.free = this.chains[entry] as number;
    }
    if (logId >= this.logCounts.length) this.growLogs(logId);
    const bucket = this.bucketOf(logId, producerId);
    this.chains[entry] = this.buckets[bucket] as number;
    this.buckets[bucket] = entry;
    this.producerIds[entry] = producerId;
    this.logIds[entry] = logId;
    this.epochs[entry] = -1;
    this.coordinatorEpochs[entry] = -1;
    this.transactionOffsets[entry] = -1;
    this.batchCounts[entry] = 0;
    this.logCounts[logId] = (this.logCounts[logId] as number) + 1;
    this.count += 1;
    this.link(entry);
    return entry;
  }

  remove(entry: number): void {
    const logId = this.logIds[entry] as LogId;
    const bucket = this.bucketOf(logId, this.producerIds[entry] as number);
    let at = this.buckets[bucket] as number;
    if (at === entry) {
      this.buckets[bucket] = this.chains[entry] as number;
    } else {
      while (this.chains[at] !== entry) at = this.chains[at] as number;
      this.chains[at] = this.chains[entry] as number;
    }
    this.unlink(entry);
    this.logCounts[logId] = (this.logCounts[logId] as number) - 1;
    this.count -= 1;
    this.chains[entry] = this.free;
    this.free = entry;
  }

  /** Makes the entry the latest of its log and of all. */
  touch(entry: number): void {
    if (this.latest === entry) return;
    this.unlink(entry);
    this.link(entry);
  }

  oldestOf(logId: LogId): number {
    return logId < this.logOldest.length ? (this.logOldest[logId] as number) : NONE;
  }

  oldestOfAll(): number {
    return this.oldest;
  }

  /** The next less idle entry of the same log. */
  newerOfLog(entry: number): number {
    return this.newerInLog[entry] as number;
  }

  newerOfAll(entry: number): number {
    return this.newer[entry] as number;
  }

  /** Column index of the batch `back` places before the newest. */
  batchAt(entry: number, back: number): number {
    const newest = this.newestBatches[entry] as number;
    const place = (newest - back + BATCHES_REMEMBERED) % BATCHES_REMEMBERED;
    return entry * BATCHES_REMEMBERED + place;
  }

  /** Column index for a new newest batch; the oldest one gives way. */
  pushBatch(entry: number): number {
    const count = this.batchCounts[entry] as number;
    const place =
      count === 0 ? 0 : ((this.newestBatches[entry] as number) + 1) % BATCHES_REMEMBERED;
    this.newestBatches[entry] = place;
    this.batchCounts[entry] = Math.min(count + 1, BATCHES_REMEMBERED);
    return entry * BATCHES_REMEMBERED + place;
  }

  popBatch(entry: number): void {
    const newest = this.newestBatches[entry] as number;
    this.newestBatches[entry] = (newest + BATCHES_REMEMBERED - 1) % BATCHES_REMEMBERED;
    this.batchCounts[entry] = (this.batchCounts[entry] as number) - 1;
  }

  private link(entry: number): void {
    const logId = this.logIds[entry] as number;
    const before = this.logLatest[logId] as number;
    this.olderInLog[entry] = before;
    this.newerInLog[entry] = NONE;
    this.logLatest[logId] = entry;
    if (before === NONE) this.logOldest[logId] = entry;
    else this.newerInLog[before] = entry;
    this.older[entry] = this.latest;
    this.newer[entry] = NONE;
    if (this.latest === NONE) this.oldest = entry;
    else this.newer[this.latest] = entry;
    this.latest = entry;
  }

  private unlink(entry: number): void {
    const logId = this.logIds[entry] as number;
    const newerInLog = this.newerInLog[entry] as number;
    const olderInLog = this.olderInLog[entry] as number;
    if (newerInLog === NONE) this.logLatest[logId] = olderInLog;
    else this.olderInLog[newerInLog] = olderInLog;
    if (olderInLog === NONE) this.logOldest[logId] = newerInLog;
    else this.newerInLog[olderInLog] = newerInLog;
    const newer = this.newer[entry] as number;
    const older = this.older[entry] as number;
    if (newer === NONE) this.latest = older;
    else this.older[newer] = older;
    if (older === NONE) this.oldest = newer;
    else this.newer[older] = newer;
  }

  /** Producer ids are dense and logs few: both are mixed (Fibonacci hashing). */
  private bucketOf(logId: number, producerId: number): number {
    const low = (producerId % 0x1_0000_0000) | 0;
    const mixed = Math.imul(Math.imul(low, 0x9e3779b1) ^ logId, 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & (this.buckets.length - 1);
  }

  private grow(): void {
    const capacity = this.producerIds.length * 2;
    const batches = capacity * BATCHES_REMEMBERED;
    this.producerIds = copied(this.producerIds, new Float64Array(capacity));
    this.logIds = copied(this.logIds, new Uint32Array(capacity));
    this.epochs = copied(this.epochs, new Int32Array(capacity));
    this.coordinatorEpochs = copied(this.coordinatorEpochs, new Int32Array(capacity));
    this.transactionOffsets = copied(this.transactionOffsets, new Float64Array(capacity));
    this.activeMs = copied(this.activeMs, new Float64Array(capacity));
    this.batchCounts = copied(this.batchCounts, new Uint8Array(capacity));
    this.newestBatches = copied(this.newestBatches, new Uint8Array(capacity));
    this.lastSequences = copied(this.lastSequences, new Int32Array(batches));
    this.sequenceDeltas = copied(this.sequenceDeltas, new Int32Array(batches));
    this.lastOffsets = copied(this.lastOffsets, new Float64Array(batches));
    this.timestamps = copied(this.timestamps, new Float64Array(batches));
    this.newerInLog = copied(this.newerInLog, new Int32Array(capacity));
    this.olderInLog = copied(this.olderInLog, new Int32Array(capacity));
    this.newer = copied(this.newer, new Int32Array(capacity));
    this.older = copied(this.older, new Int32Array(capacity));
    // Only called when every entry is in use: the chains hold no free ones.
    this.chains = new Int32Array(capacity);
    this.buckets = new Int32Array(capacity * BUCKETS_PER_ENTRY).fill(NONE);
    for (let entry = 0; entry < this.used; entry += 1) {
      const logId = this.logIds[entry] as number;
      const bucket = this.bucketOf(logId, this.producerIds[entry] as number);
      this.chains[entry] = this.buckets[bucket] as number;
      this.buckets[bucket] = entry;
    }
  }

  private growLogs(logId: number): void {
    const capacity = Math.max(this.logCounts.length * 2, logId + 1, CAPACITY_MIN);
    this.logCounts = copied(this.logCounts, new Int32Array(capacity));
    this.logLatest = copied(this.logLatest, new Int32Array(capacity).fill(NONE));
    this.logOldest = copied(this.logOldest, new Int32Array(capacity).fill(NONE));
  }
}

function copied<T extends Uint8Array | Uint32Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
