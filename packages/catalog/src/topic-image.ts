import { type Uuid, assert } from "@mantou/base";
import { LEADER_UNCHANGED, NO_LEADER, type RecordOf } from "./records.ts";

/** A slot of `replicas` or `isr` that holds no node. */
const NO_NODE = -1;
const NOTHING = new Int32Array(0);

/**
 * One topic and all of its partitions, a column per property: partition `p` is index `p` of
 * `leaders`, and `width` slots from `p * width` on of `replicas` and `isr` (padded with -1).
 * Read it freely; only `apply` changes it.
 */
export class TopicImage {
  partitionCount = 0;
  /** Slots per partition in `replicas` and `isr`: the largest replication factor so far. */
  width = 1;
  replicas: Int32Array = NOTHING;
  isr: Int32Array = NOTHING;
  leaders: Int32Array = NOTHING;
  leaderEpochs: Int32Array = NOTHING;
  partitionEpochs: Int32Array = NOTHING;

  constructor(
    readonly topicId: Uuid,
    readonly name: string,
  ) {}

  /** Replicas of a partition, the preferred leader first. A fresh list: for cold paths. */
  replicasOf(partition: number): number[] {
    return this.nodesOf(this.replicas, partition);
  }

  /** Members of the in-sync set, in the order in which they were recorded. A fresh list. */
  isrOf(partition: number): number[] {
    return this.nodesOf(this.isr, partition);
  }

  leaderOf(partition: number): number {
    return this.leaders[partition] as number;
  }

  leaderEpochOf(partition: number): number {
    return this.leaderEpochs[partition] as number;
  }

  partitionEpochOf(partition: number): number {
    return this.partitionEpochs[partition] as number;
  }

  isReplica(partition: number, nodeId: number): boolean {
    return this.holds(this.replicas, partition, nodeId);
  }

  isInSync(partition: number, nodeId: number): boolean {
    return this.holds(this.isr, partition, nodeId);
  }

  /** Members of the in-sync set, without making a list. */
  isrSize(partition: number): number {
    let size = 0;
    while (size < this.width && this.isr[partition * this.width + size] !== NO_NODE) size += 1;
    return size;
  }

  replicationFactorOf(partition: number): number {
    let size = 0;
    while (size < this.width && this.replicas[partition * this.width + size] !== NO_NODE) size += 1;
    return size;
  }

  /** Takes a `partitions` record: appends its partitions behind the known ones. */
  addPartitions(record: RecordOf<"partitions">): void {
    const added = record.leaders.length;
    assert(record.firstPartition === this.partitionCount, `${this.name}: partitions leave a gap`);
    assert(record.width > 0, `${this.name}: partitions without replicas`);
    assert(record.replicas.length === added * record.width, `${this.name}: replicas do not fit`);
    assert(record.isr.length === added * record.width, `${this.name}: isr does not fit`);
    assert(record.leaderEpochs.length === added, `${this.name}: leader epochs do not fit`);
    assert(record.partitionEpochs.length === added, `${this.name}: partition epochs do not fit`);
    if (this.partitionCount === 0) {
      this.copy(record);
      return;
    }
    const count = this.partitionCount + added;
    const width = Math.max(this.width, record.width);
    this.replicas = restride(this.replicas, this.width, width, count);
    this.isr = restride(this.isr, this.width, width, count);
    this.leaders = extend(this.leaders, count);
    this.leaderEpochs = extend(this.leaderEpochs, count);
    this.partitionEpochs = extend(this.partitionEpochs, count);
    this.width = width;
    for (let index = 0; index < added; index += 1) {
      const from = index * record.width;
      const to = (this.partitionCount + index) * width;
      this.replicas.set(record.replicas.subarray(from, from + record.width), to);
      this.isr.set(record.isr.subarray(from, from + record.width), to);
    }
    this.leaders.set(record.leaders, this.partitionCount);
    this.leaderEpochs.set(record.leaderEpochs, this.partitionCount);
    this.partitionEpochs.set(record.partitionEpochs, this.partitionCount);
    this.partitionCount = count;
  }

  /** Takes a `partitionChange` record. */
  changePartitions(record: RecordOf<"partitionChange">): void {
    const { isr, leader } = record;
    assert(isr === null || isr.length <= this.width, `${this.name}: isr larger than the replicas`);
    for (const partition of record.partitions) {
      const known = partition >= 0 && partition < this.partitionCount;
      assert(known, `${this.name}: change of partition ${partition}, which does not exist`);
      if (isr !== null) {
        const from = partition * this.width;
        this.isr.fill(NO_NODE, from, from + this.width);
        this.isr.set(isr, from);
      }
      if (leader !== LEADER_UNCHANGED) {
        assert(leader >= NO_LEADER, `${this.name}: leader ${leader}`);
        this.leaders[partition] = leader;
        this.leaderEpochs[partition] = this.leaderEpochOf(partition) + 1;
      }
      this.partitionEpochs[partition] = this.partitionEpochOf(partition) + 1;
    }
  }

  /** The whole of `count` partitions from `first` on, as the record that rebuilds them. */
  toRecord(first: number, count: number): RecordOf<"partitions"> {
    const end = first + count;
    return {
      kind: "partitions",
      topicId: this.topicId,
      firstPartition: first,
      width: this.width,
      replicas: this.replicas.slice(first * this.width, end * this.width),
      isr: this.isr.slice(first * this.width, end * this.width),
      leaders: this.leaders.slice(first, end),
      leaderEpochs: this.leaderEpochs.slice(first, end),
      partitionEpochs: this.partitionEpochs.slice(first, end),
    };
  }

  /** Takes over the first partitions as they are: nearly all topics never get more. */
  private copy(record: RecordOf<"partitions">): void {
    this.partitionCount = record.leaders.length;
    this.width = record.width;
    this.replicas = record.replicas.slice();
    this.isr = record.isr.slice();
    this.leaders = record.leaders.slice();
    this.leaderEpochs = record.leaderEpochs.slice();
    this.partitionEpochs = record.partitionEpochs.slice();
  }

  private holds(column: Int32Array, partition: number, nodeId: number): boolean {
    for (let slot = 0; slot < this.width; slot += 1) {
      if (column[partition * this.width + slot] === nodeId) return true;
    }
    return false;
  }

  private nodesOf(column: Int32Array, partition: number): number[] {
    const nodes: number[] = [];
    for (let slot = 0; slot < this.width; slot += 1) {
      const node = column[partition * this.width + slot] as number;
      if (node !== NO_NODE) nodes.push(node);
    }
    return nodes;
  }
}

function extend(column: Int32Array, count: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(count);
  grown.set(column);
  return grown;
}

/** Copies rows of `from` slots into rows of `to` slots; new slots hold no node. */
function restride(
  column: Int32Array,
  from: number,
  to: number,
  count: number,
): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(count * to).fill(NO_NODE);
  if (from === to) {
    grown.set(column);
    return grown;
  }
  for (let row = 0; row * from < column.length; row += 1) {
    grown.set(column.subarray(row * from, (row + 1) * from), row * to);
  }
  return grown;
}
