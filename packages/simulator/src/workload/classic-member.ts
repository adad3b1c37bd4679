import {
  ErrorCode,
  decodeConsumerAssignment,
  encodeConsumerAssignment,
  encodeConsumerSubscription,
  errorName,
  heartbeatApi,
  joinGroupApi,
  leaveGroupApi,
  syncGroupApi,
} from "@mantou/protocol";
import type { JoinGroupResponse } from "@mantou/protocol";
import type { ClientConnection } from "../clients/connection.ts";
import { NoAnswer } from "../clients/connection.ts";
import type { Position } from "../clients/fetching.ts";
import {
  ASK_MS,
  GroupMember,
  REBALANCE_MS,
  SESSION_MS,
  SUBSCRIBED,
  isLost,
  isPassing,
} from "./group-member.ts";

const PROTOCOL = { protocolType: "consumer", protocolName: "simulated" };
/** A join waits for everybody else. */
const JOIN_MS = REBALANCE_MS + 5_000;

/** A member of a classic group: eager, so it gives up everything before it joins again. */
export class ClassicMember extends GroupMember {
  private wantsOut = false;

  protected async run(): Promise<void> {
    while (!this.wantsOut) {
      try {
        const connection = await this.findCoordinator();
        const joined = await this.join(connection);
        if (joined === null) continue;
        if (await this.sync(connection, joined)) await this.live(connection);
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        await this.pause();
      }
    }
  }

  private async join(connection: ClientConnection): Promise<JoinGroupResponse | null> {
    this.disownAll();
    const joined = await connection.ask(
      joinGroupApi,
      this.prng.between(2, 9),
      {
        groupId: this.group,
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: REBALANCE_MS,
        memberId: this.memberId,
        protocolType: PROTOCOL.protocolType,
        protocols: [
          {
            name: PROTOCOL.protocolName,
            metadata: encodeConsumerSubscription({ topics: SUBSCRIBED, ownedPartitions: [] }, 1),
          },
        ],
      },
      JOIN_MS,
    );
    switch (joined.errorCode) {
      case ErrorCode.NONE:
        this.memberId = joined.memberId;
        this.generation = joined.generationId;
        return joined;
      case ErrorCode.MEMBER_ID_REQUIRED:
        this.memberId = joined.memberId;
        return null;
      case ErrorCode.UNKNOWN_MEMBER_ID:
        this.memberId = "";
        return null;
      default:
        this.refused("JoinGroup", joined.errorCode);
        await this.pause();
        return null;
    }
  }

  private refused(what: string, errorCode: number): void {
    const isExpected = errorCode === ErrorCode.NONE || isPassing(errorCode) || isLost(errorCode);
    if (isExpected) return;
    this.world.defect(`${this.name}: ${what} answered ${errorName(errorCode)}`);
  }

  /** Takes its part; as the leader, deals the parts out before. */
  private async sync(connection: ClientConnection, joined: JoinGroupResponse): Promise<boolean> {
    const isLeader = joined.leader === joined.memberId;
    const synced = await connection.ask(
      syncGroupApi,
      this.prng.between(1, 5),
      {
        groupId: this.group,
        generationId: this.generation,
        memberId: this.memberId,
        ...PROTOCOL,
        assignments: isLeader ? this.assign(joined.members.map(({ memberId }) => memberId)) : [],
      },
      JOIN_MS,
    );
    if (synced.errorCode !== ErrorCode.NONE) {
      if (synced.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = "";
      this.refused("SyncGroup", synced.errorCode);
      return false;
    }
    const { assignedPartitions } = decodeConsumerAssignment(synced.assignment);
    const mine = this.subscribed().filter((position) =>
      assignedPartitions.some(
        ({ topic, partitions }) =>
          topic === position.topic.name && partitions.includes(position.partition),
      ),
    );
    const { history } = this.world;
    history.generations.push({
      group: this.group,
      generation: this.generation,
      by: this.name,
      owned: mine.map(({ where }) => where),
      answered: history.moment(),
    });
    // Only a heartbeat is sure to be taken for a sign of life.
    this.own(mine, -Infinity);
    while (!(await this.resume(connection, mine))) {
      await this.pause();
      if (!(await this.heartbeat(connection))) return false;
    }
    return true;
  }

  private assign(memberIds: readonly string[]) {
    const parts = new Map<string, Position[]>(memberIds.map((id) => [id, []]));
    for (const [index, position] of this.subscribed().entries()) {
      parts.get(memberIds[index % memberIds.length] as string)?.push(position);
    }
    return [...parts].map(([memberId, positions]) => ({
      memberId,
      assignment: encodeConsumerAssignment(
        {
          assignedPartitions: SUBSCRIBED.map((topic) => ({
            topic,
            partitions: positions.filter((p) => p.topic.name === topic).map((p) => p.partition),
          })),
        },
        1,
      ),
    }));
  }

  /** Reads, commits and beats until it has to join again, or goes. */
  private async live(connection: ClientConnection): Promise<void> {
    for (;;) {
      await this.consume(connection);
      if (this.isBusy && this.prng.chance(1, 15)) {
        // A long pause: the group goes on without it, and then it commits all the same.
        await this.process.sleep(this.prng.between(SESSION_MS, SESSION_MS * 3));
        if (!(await this.commitOwned(connection))) return;
      }
      if (this.prng.chance(1, 3) && !(await this.commitOwned(connection))) return;
      if (!(await this.heartbeat(connection))) return;
      if (this.world.phase === "draining" && (await this.isGroupAtEnd(connection))) {
        this.wantsOut = true;
        await this.leave(connection);
        return;
      }
      if (this.isBusy && this.prng.chance(1, 30)) {
        await this.leave(connection);
        await this.pause(100, 2_000);
        return;
      }
      await this.pause(20, 250);
    }
  }

  private async commitOwned(connection: ClientConnection): Promise<boolean> {
    const errorCode = await this.commit(connection);
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = "";
    this.refused("OffsetCommit", errorCode);
    return errorCode === ErrorCode.NONE || isPassing(errorCode);
  }

  private async heartbeat(connection: ClientConnection): Promise<boolean> {
    const { history, time } = this.world;
    const asked = history.moment();
    const askedMs = time.nowMs;
    const { group, generation } = this;
    const { errorCode } = await connection.ask(
      heartbeatApi,
      this.prng.between(1, 4),
      { groupId: group, generationId: generation, memberId: this.memberId },
      ASK_MS,
    );
    if (errorCode === ErrorCode.NONE) {
      this.heard(askedMs);
      history.heartbeats.push({ group, generation, by: this.name, asked });
      return true;
    }
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = "";
    this.refused("Heartbeat", errorCode);
    return isPassing(errorCode);
  }

  private async leave(connection: ClientConnection): Promise<void> {
    this.disownAll();
    const { memberId } = this;
    this.memberId = "";
    const version = this.prng.between(1, 5);
    await connection.ask(
      leaveGroupApi,
      version,
      version >= 3
        ? { groupId: this.group, members: [{ memberId }] }
        : { groupId: this.group, memberId },
      ASK_MS,
    );
  }
}
