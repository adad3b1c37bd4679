import { BrokerError, Client, type Connection } from "@mantou/client";
import {
  encodeConsumerAssignment,
  encodeConsumerSubscription,
  ErrorCode,
  heartbeatApi,
  joinGroupApi,
  leaveGroupApi,
  syncGroupApi,
} from "@mantou/protocol";
import { coordinatorOf } from "./coordinator.ts";

const MEMBERS = 100;
const ROUNDS = 10;
const GROUP = "rebalanced";
/** The last version in which a join needs no second round for its id. */
const JOIN_VERSION = 3;
/** How often a member asks whether the group goes on; clients ask every few seconds. */
const BEAT_MS = 5;

interface Member {
  readonly connection: Connection;
  readonly memberId: string;
}

/** What rebalancing a group of a hundred takes. */
export interface Rebalances {
  /** From a member's join until everybody has joined and been given an assignment. */
  readonly medianMs: number;
  /** All that there were, those that founded the group or followed a leave included. */
  readonly rebalances: number;
}

/** A member comes to a group of a hundred and goes again, ten times. */
export async function measureRebalances(address: string, topic: string): Promise<Rebalances> {
  const client = await Client.connect({ brokers: address });
  // A member's join waits for all others: each needs a connection of its own.
  const others: Client[] = [];
  try {
    const members: Member[] = [];
    for (let index = 0; index < MEMBERS; index += 1) {
      const own = await Client.connect({ brokers: address });
      others.push(own);
      members.push({ connection: await coordinatorOf(own, "group", GROUP), memberId: "" });
    }
    let known = await settle(members, topic);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const own = await Client.connect({ brokers: address });
      others.push(own);
      const newcomer = { connection: await coordinatorOf(own, "group", GROUP), memberId: "" };
      const beganAtMs = performance.now();
      known = await settle([...known, newcomer], topic);
      times.push(performance.now() - beganAtMs);
      const left = known.pop() as Member;
      const { memberId } = left;
      await left.connection.send(leaveGroupApi, 1, { groupId: GROUP, memberId });
      known = await settle(known, topic);
    }
    times.sort((a, b) => a - b);
    const medianMs = times[Math.floor(times.length / 2)] ?? Number.NaN;
    return { medianMs, rebalances: 1 + 2 * ROUNDS };
  } finally {
    for (const one of [client, ...others]) one.abort();
  }
}

/** Members join and sync, each on its own as consumers do, until all share one generation. */
async function settle(members: readonly Member[], topic: string): Promise<Member[]> {
  const current = [...members];
  const generations = new Map<number, number>();
  const isSettled = (): boolean =>
    generations.size === current.length && new Set(generations.values()).size === 1;
  const takePart = async (index: number): Promise<void> => {
    while (!isSettled()) {
      const { member, generationId, assignments } = await join(current[index] as Member, topic);
      current[index] = member;
      const ids = { groupId: GROUP, generationId, memberId: member.memberId };
      const { connection } = member;
      const synced = await connection.send(syncGroupApi, 2, { ...ids, assignments });
      if (synced.errorCode !== ErrorCode.NONE) continue;
      generations.set(index, generationId);
      let beat = 0;
      while (beat === ErrorCode.NONE && !isSettled()) {
        await Bun.sleep(BEAT_MS);
        beat = (await connection.send(heartbeatApi, 2, ids)).errorCode;
      }
    }
  };
  await Promise.all(current.map((_, index) => takePart(index)));
  return current;
}

async function join({ connection, memberId }: Member, topic: string) {
  const answer = await connection.send(joinGroupApi, JOIN_VERSION, {
    groupId: GROUP,
    sessionTimeoutMs: 60_000,
    rebalanceTimeoutMs: 60_000,
    memberId,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: encodeConsumerSubscription({ topics: [topic] }, 0) }],
  });
  if (answer.errorCode !== 0) throw new BrokerError(answer.errorCode, "join");
  const { generationId, leader } = answer;
  const assignments = answer.members.map((member, index) => ({
    memberId: member.memberId,
    assignment: encodeConsumerAssignment(
      { assignedPartitions: [{ topic, partitions: [index] }] },
      0,
    ),
  }));
  return {
    member: { connection, memberId: answer.memberId },
    generationId,
    // Only the leader is told of the others.
    assignments: leader === answer.memberId ? assignments : [],
  };
}
