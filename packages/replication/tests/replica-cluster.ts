import { type Prng, logId } from "@mantou/base";
import { type IsrChange, type Membership, PartitionTable } from "../src/index.ts";

const log = logId(0);
const NOBODY = -1;

/** A record is told from all others by its number; the epoch is the one it was written in. */
interface StoredRecord {
  readonly number: number;
  readonly epoch: number;
}

/** What the controller has committed about the partition. */
interface Committed {
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly membership: Membership;
}

/** One broker: its machine, its log in the page cache, and how much of it is on disk. */
class Node {
  table: PartitionTable;
  records: StoredRecord[] = [];
  durable = 0;
  isUp = true;
  /** The latest state of the controller that it has heard of. */
  view: Committed;
  highest = 0;

  constructor(
    readonly nodeId: number,
    view: Committed,
  ) {
    this.view = view;
    this.table = this.open(view);
  }

  open(view: Committed): PartitionTable {
    const table = new PartitionTable(this.nodeId, { replicaLagMaxMs: 50 });
    const epochs: { epoch: number; startOffset: number }[] = [];
    for (const [offset, { epoch }] of this.records.entries()) {
      if (epochs.at(-1)?.epoch !== epoch) epochs.push({ epoch, startOffset: offset });
    }
    table.opened(log, {
      leader: view.leader === this.nodeId,
      leaderEpoch: view.leaderEpoch,
      startOffset: 0,
      endOffset: this.records.length,
      corruptFromOffset: null,
      membership: view.membership,
      epochs,
    });
    this.view = view;
    this.highest = 0;
    return table;
  }
}

/**
 * Brokers, a controller and consumers around one partition. Messages between brokers are calls
 * that may fail; the controller's news arrive late or not until the next; a crash takes what was
 * not fsynced. Checked after every event: consumers never see two different records at one
 * offset, and everything they saw is on the disk of every member of the in-sync set.
 */
export class ReplicaCluster {
  private readonly nodes: Node[];
  private committed: Committed;
  private readonly fenced = new Set<number>();
  private readonly proposals: { nodeId: number; change: IsrChange }[] = [];
  /** What consumers have seen, by offset. */
  readonly seen: number[] = [];
  private nextNumber = 1;
  private nowMs = 0;

  constructor(
    private readonly prng: Prng,
    size: number,
  ) {
    const ids = Array.from({ length: size }, (_, index) => index + 1);
    const membership = { replicas: ids, isr: ids, partitionEpoch: 0 };
    this.committed = { leader: 1, leaderEpoch: 0, membership };
    this.nodes = ids.map((nodeId) => new Node(nodeId, this.committed));
  }

  step(): void {
    const { prng } = this;
    this.nowMs += prng.below(10);
    const node = prng.pick(this.nodes);
    const dice = prng.below(100);
    if (dice < 20) this.append(node);
    else if (dice < 45) this.flush(node);
    else if (dice < 75) this.fetch(node);
    else if (dice < 82) this.hear(node);
    else if (dice < 88) this.decide();
    else if (dice < 92) this.tick(node);
    else if (dice < 94) this.crash(node);
    else if (dice < 97) this.restart(node);
    else this.fence(node);
    this.check();
  }

  /** Everybody comes back and everything is delivered, until nothing moves any more. */
  heal(): void {
    for (const node of this.nodes) this.restart(node);
    for (let round = 0; round < 20; round += 1) {
      for (const node of this.nodes) {
        if (this.fenced.has(node.nodeId)) this.unfence(node);
        this.hear(node);
      }
      for (const node of this.nodes) {
        if (node.table.isLeader(log) && round === 0) this.append(node);
        this.flushAll(node);
        // A follower that was cut needs a second fetch, one with much to read some more.
        for (let times = 0; times < 10; times += 1) {
          this.fetch(node);
          this.flushAll(node);
        }
        this.decideAll();
      }
      this.check();
    }
  }

  /** What must hold once healed: one leader, everybody in sync, equal logs, all of it committed. */
  convergenceFaults(): string[] {
    const faults: string[] = [];
    const leader = this.nodes.find(({ nodeId }) => nodeId === this.committed.leader);
    if (leader === undefined) return ["nobody leads"];
    if (this.committed.membership.isr.length !== this.nodes.length) faults.push("not all in sync");
    const expected = JSON.stringify(leader.records);
    for (const node of this.nodes) {
      if (JSON.stringify(node.records) !== expected) faults.push(`node ${node.nodeId} differs`);
      if (node.table.highWatermark(log) !== leader.records.length) {
        faults.push(`node ${node.nodeId}: committed up to ${node.table.highWatermark(log)}`);
      }
    }
    return faults;
  }

  private append(node: Node): void {
    if (!node.isUp || !node.table.isLeader(log)) return;
    for (let count = this.prng.between(1, 3); count > 0; count -= 1) {
      node.records.push({ number: this.nextNumber++, epoch: node.table.leaderEpoch(log) });
    }
    node.table.appended(log, node.records.length);
  }

  private flush(node: Node): void {
    if (!node.isUp || node.durable === node.records.length) return;
    node.durable = this.prng.between(node.durable + 1, node.records.length);
    node.table.written(log, node.durable);
    node.table.durable(log, node.durable);
  }

  private flushAll(node: Node): void {
    while (node.durable < node.records.length) this.flush(node);
  }

  /** One fetch of a follower: cut where the logs part, else take some records. */
  private fetch(node: Node): void {
    if (!node.isUp || node.table.isLeader(log)) return;
    const leader = this.nodes.find(({ nodeId }) => nodeId === node.view.leader);
    if (leader === undefined || !leader.isUp || !leader.table.isLeader(log)) return;
    if (leader.table.leaderEpoch(log) !== node.table.leaderEpoch(log)) return;
    const from = node.records.length;
    const lastEpoch = node.table.latestEpoch(log);
    if (lastEpoch >= 0) {
      const end = leader.table.endOffsetForEpoch(log, lastEpoch);
      if (end.epoch < lastEpoch || end.endOffset < from) {
        const cut = node.table.truncationFor(log, end.epoch, end.endOffset);
        node.records.length = cut;
        node.durable = Math.min(node.durable, cut);
        node.table.truncated(log, cut);
        return;
      }
    }
    leader.table.fetched(log, node.nodeId, from, node.durable, this.nowMs);
    this.collect(leader);
    for (const record of leader.records.slice(from, from + this.prng.below(6))) {
      const at = node.records.length;
      node.records.push(record);
      node.table.replicated(log, at, at + 1, record.epoch);
    }
    node.table.leaderWatermark(log, leader.table.highWatermark(log));
  }

  private tick(node: Node): void {
    if (!node.isUp) return;
    node.table.step({ kind: "tick" }, this.nowMs);
    this.collect(node);
  }

  private collect(node: Node): void {
    for (const change of node.table.take().isrChanges) {
      this.proposals.push({ nodeId: node.nodeId, change });
    }
  }

  /** A node hears of the controller's state. */
  private hear(node: Node): void {
    if (!node.isUp) return;
    const { leader, leaderEpoch, membership } = this.committed;
    node.view = this.committed;
    const input = { leader: leader === node.nodeId, leaderEpoch, membership };
    node.table.step({ kind: "leadership", logId: log, ...input }, this.nowMs);
  }

  private decideAll(): void {
    while (this.proposals.length > 0) this.decide();
  }

  /** The controller decides a proposal; the proposer hears of a refusal at once. */
  private decide(): void {
    const proposal = this.proposals.shift();
    if (proposal === undefined) return;
    const { nodeId, change } = proposal;
    const { leader, leaderEpoch, membership } = this.committed;
    const isCurrent =
      leader === nodeId &&
      change.leaderEpoch === leaderEpoch &&
      change.partitionEpoch === membership.partitionEpoch;
    if (!isCurrent || change.isr.some((member) => this.fenced.has(member))) {
      const node = this.nodes[nodeId - 1] as Node;
      if (node.isUp) node.table.isrRefused(change);
      return;
    }
    this.commit(leader, leaderEpoch, [...change.isr]);
  }

  /** Power fails: of what was not fsynced, some prefix may be there all the same. */
  private crash(node: Node): void {
    if (!node.isUp) return;
    node.isUp = false;
    node.records.length = this.prng.between(node.durable, node.records.length);
    node.durable = node.records.length;
  }

  /** The process registers anew: it gives up what it led, and is let in with the newest state. */
  private restart(node: Node): void {
    if (node.isUp) return;
    this.remove(node.nodeId);
    this.fenced.add(node.nodeId);
    node.isUp = true;
    node.table = node.open(this.committed);
    this.unfence(node);
  }

  private fence(node: Node): void {
    if (this.fenced.has(node.nodeId)) this.unfence(node);
    else {
      this.remove(node.nodeId);
      this.fenced.add(node.nodeId);
    }
  }

  private unfence(node: Node): void {
    if (!node.isUp) return;
    this.fenced.delete(node.nodeId);
    const { leader, leaderEpoch, membership } = this.committed;
    if (leader === NOBODY && membership.isr.includes(node.nodeId)) {
      this.commit(node.nodeId, leaderEpoch + 1, membership.isr);
    }
  }

  /** As `leadershipWithout` of the catalog. */
  private remove(nodeId: number): void {
    const { leader, leaderEpoch, membership } = this.committed;
    if (!membership.isr.includes(nodeId)) return;
    const others = membership.isr.filter((member) => member !== nodeId);
    const isr = others.length > 0 ? others : [nodeId];
    if (leader !== nodeId) this.commit(leader, leaderEpoch, isr);
    else this.commit(others[0] ?? NOBODY, leaderEpoch + 1, isr);
  }

  private commit(leader: number, leaderEpoch: number, isr: readonly number[]): void {
    const { replicas, partitionEpoch } = this.committed.membership;
    const membership = { replicas, isr, partitionEpoch: partitionEpoch + 1 };
    this.committed = { leader, leaderEpoch, membership };
  }

  private check(): void {
    for (const node of this.nodes) {
      if (!node.isUp) continue;
      const faults = node.table.checkInvariants();
      if (faults.length > 0) throw new Error(`node ${node.nodeId}: ${faults.join("; ")}`);
      const mark = node.table.highWatermark(log);
      if (mark < node.highest) throw new Error(`node ${node.nodeId}: watermark fell to ${mark}`);
      node.highest = mark;
      // Consumers read from whoever takes itself for the leader.
      for (let offset = 0; offset < mark; offset += 1) this.see(node, offset);
    }
    for (const nodeId of this.committed.membership.isr) {
      const node = this.nodes[nodeId - 1] as Node;
      if (node.durable < this.seen.length) {
        throw new Error(`node ${nodeId} is in sync with ${node.durable} of ${this.seen.length}`);
      }
      for (const [offset, number] of this.seen.entries()) {
        if (node.records[offset]?.number !== number) {
          throw new Error(`node ${nodeId} is in sync and has another record at ${offset}`);
        }
      }
    }
  }

  private see(node: Node, offset: number): void {
    const number = node.records[offset]?.number;
    if (number === undefined) throw new Error(`node ${node.nodeId} shows what it does not have`);
    this.seen[offset] ??= number;
    if (this.seen[offset] !== number) {
      throw new Error(`node ${node.nodeId} shows ${number} at ${offset}, was ${this.seen[offset]}`);
    }
  }
}
