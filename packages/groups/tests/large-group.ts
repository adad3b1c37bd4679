import { encodeConsumerAssignment, encodeConsumerSubscription } from "@mantou/protocol";
import type { GroupCommand } from "../src/index.ts";
import { ShardHost, heartbeat, join, sync } from "./shard-host.ts";

const TOPIC = "orders";

/** One classic group of many members, over as many partitions. */
export class LargeGroup {
  readonly host = new ShardHost();
  readonly memberIds: string[] = [];
  generation = 0;
  private readonly metadata = encodeConsumerSubscription({ topics: [TOPIC] }, 3);

  constructor(
    readonly groupId: string,
    size: number,
  ) {
    this.host.topics.create(TOPIC, size);
    const first = this.host.call(this.join());
    const others = Array.from({ length: size - 1 }, () => this.host.ask(this.join()));
    this.host.ask(this.join(first.memberId));
    this.memberIds.push(first.memberId);
    for (const ticket of others) {
      this.memberIds.push(this.host.replyTo<"joinGroup">(ticket)?.memberId ?? "");
    }
    this.generation = 2;
    this.divide();
  }

  private join(memberId = ""): GroupCommand & { kind: "joinGroup" } {
    return join(this.groupId, { memberId, metadata: this.metadata, rebalanceTimeoutMs: 300_000 });
  }

  /** Followers sync, then the leader deals the partitions out, one to each. */
  private divide(): void {
    const [leader = "", ...followers] = this.memberIds;
    for (const memberId of followers) this.host.ask(sync(this.groupId, memberId, this.generation));
    const assignments = Object.fromEntries(
      this.memberIds.map((memberId, at) => [
        memberId,
        encodeConsumerAssignment({ assignedPartitions: [{ topic: TOPIC, partitions: [at] }] }, 1),
      ]),
    );
    this.host.ask(sync(this.groupId, leader, this.generation, { assignments }));
  }

  /** Everybody joins again and syncs: a whole round. */
  rebalance(): void {
    for (const memberId of this.memberIds) this.host.ask(this.join(memberId));
    this.generation++;
    this.divide();
  }

  beat(at: number): number {
    const memberId = this.memberIds[at % this.memberIds.length] ?? "";
    return this.host.call(heartbeat(this.groupId, memberId, this.generation)).errorCode;
  }
}
