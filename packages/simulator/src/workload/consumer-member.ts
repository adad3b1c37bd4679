import type { Uuid } from "@mantou/base";
import { ErrorCode, consumerGroupHeartbeatApi, errorName } from "@mantou/protocol";
import type { ConsumerGroupHeartbeatResponse } from "@mantou/protocol";
import type { ClientConnection } from "../clients/connection.ts";
import { NoAnswer } from "../clients/connection.ts";
import type { Position } from "../clients/fetching.ts";
import type { Where } from "../history.ts";
import {
  ASK_MS,
  GroupMember,
  REBALANCE_MS,
  SESSION_MS,
  SUBSCRIBED,
  isLost,
  isPassing,
} from "./group-member.ts";

const LEAVING = -1;
const JOINING = 0;

/** A member of a group of the next generation (KIP-848): the coordinator deals the parts out. */
export class ConsumerMember extends GroupMember {
  protected override readonly commitVersionMin = 9;
  private target: readonly Where[] | null = null;
  private wantsOut = false;
  private hasNews = true;

  protected async run(): Promise<void> {
    this.generation = JOINING;
    this.memberId = Buffer.from(
      Uint8Array.from({ length: 16 }, () => this.prng.below(256)),
    ).toString("base64url");
    while (!this.wantsOut) {
      try {
        const connection = await this.findCoordinator();
        await this.live(connection);
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        // The full state is told after a disturbance.
        this.hasNews = true;
        await this.pause();
      }
    }
  }

  private async live(connection: ClientConnection): Promise<void> {
    for (;;) {
      if (!(await this.heartbeat(connection))) continue;
      if (!(await this.reconcile(connection))) continue;
      await this.consume(connection);
      if (this.isBusy && this.prng.chance(1, 15)) {
        await this.process.sleep(this.prng.between(SESSION_MS, SESSION_MS * 3));
        await this.commitOwned(connection);
      }
      if (this.prng.chance(1, 3) && !(await this.commitOwned(connection))) continue;
      if (this.world.phase === "draining" && (await this.isGroupAtEnd(connection))) {
        this.wantsOut = true;
        await this.leave(connection);
        return;
      }
      if (this.isBusy && this.prng.chance(1, 30)) {
        await this.leave(connection);
        await this.pause(100, 2_000);
        continue;
      }
      await this.pause(20, 250);
    }
  }

  /** Tells what it owns, and hears what it is to own. False where it lost its place. */
  private async heartbeat(connection: ClientConnection): Promise<boolean> {
    const askedMs = this.world.time.nowMs;
    const full = this.hasNews || this.generation === JOINING;
    const response = await connection.ask(
      consumerGroupHeartbeatApi,
      1,
      {
        groupId: this.group,
        memberId: this.memberId,
        memberEpoch: this.generation,
        rebalanceTimeoutMs: full ? REBALANCE_MS : -1,
        subscribedTopicNames: full ? SUBSCRIBED : null,
        topicPartitions: full ? this.ownedByTopic() : null,
      },
      ASK_MS,
    );
    const { errorCode } = response;
    if (errorCode === ErrorCode.NONE) {
      this.taken(response, askedMs);
      return true;
    }
    if (isLost(errorCode)) {
      // It is not a member any more: what it had belongs to others.
      this.rejoin();
    } else if (!isPassing(errorCode)) {
      this.world.defect(`${this.name}: heartbeat answered ${errorName(errorCode)}`);
    }
    this.hasNews = true;
    await this.pause();
    return false;
  }

  private taken(response: ConsumerGroupHeartbeatResponse, askedMs: number): void {
    this.generation = response.memberEpoch;
    this.hasNews = false;
    this.heard(askedMs);
    this.heardMs = askedMs;
    if (response.assignment === null) return;
    this.target = response.assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
      partitions.map((partition) => `${topicId}/${partition}`),
    );
  }

  private heardMs = 0;

  /** Gives up what it is not to have, then takes what is new. False where it cannot go on. */
  private async reconcile(connection: ClientConnection): Promise<boolean> {
    const { target } = this;
    if (target === null) return true;
    const surplus = [...this.owned.keys()].filter((where) => !target.includes(where));
    if (surplus.length > 0) {
      // Commits what it read before it gives it up; nothing of it is under way afterwards.
      await this.commitOwned(connection);
      this.disown(surplus);
      this.hasNews = true;
      return false;
    }
    const added = this.subscribed().filter(
      ({ where }) => target.includes(where) && !this.owned.has(where),
    );
    // Nothing is read or committed before it is known where the group stands.
    if (!(await this.resume(connection, added))) {
      this.hasNews = true;
      await this.pause();
      return false;
    }
    this.target = null;
    if (added.length === 0) return true;
    this.own(added, this.heardMs);
    this.hasNews = true;
    return true;
  }

  private rejoin(): void {
    this.disownAll();
    this.generation = JOINING;
    this.target = null;
    this.hasNews = true;
  }

  private async commitOwned(connection: ClientConnection): Promise<boolean> {
    const errorCode = await this.commit(connection);
    if (errorCode === ErrorCode.NONE || isPassing(errorCode)) return true;
    if (!isLost(errorCode)) {
      this.world.defect(`${this.name}: OffsetCommit answered ${errorName(errorCode)}`);
    }
    return false;
  }

  private async leave(connection: ClientConnection): Promise<void> {
    this.disownAll();
    const { group, memberId } = this;
    this.rejoin();
    await connection.ask(
      consumerGroupHeartbeatApi,
      1,
      { groupId: group, memberId, memberEpoch: LEAVING },
      ASK_MS,
    );
  }

  private ownedByTopic() {
    const byTopic = new Map<Uuid, number[]>();
    for (const { topic, partition } of this.owned.values() as Iterable<Position>) {
      const known = byTopic.get(topic.topicId);
      if (known === undefined) byTopic.set(topic.topicId, [partition]);
      else known.push(partition);
    }
    return [...byTopic].map(([topicId, partitions]) => ({ topicId, partitions }));
  }
}
