import type { Client, GroupDescription, ListedGroup } from "@mantou/client";
import { Failure } from "./failure.ts";
import { didYouMean } from "./nearest.ts";

/** A partition in which a group has committed an offset, and how far behind it is. */
export interface PartitionLag {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** The next offset that the group will read. */
  readonly committed: number;
  /** null where the partition's leader cannot be asked, or the topic is gone. */
  readonly end: number | null;
  readonly lag: number | null;
  /** The member that reads it now. */
  readonly member: string | null;
  readonly metadata: string;
}

/** Groups of other kinds (share groups, …) have no committed offsets. */
export const hasOffsets = ({ type }: ListedGroup): boolean =>
  ["", "classic", "consumer"].includes(type.toLowerCase());

/** Partitions whose ends are asked for at the same time. */
const ASKED_AT_ONCE = 64;

/** The group, or a Failure that names the nearest ones. */
export async function existingGroup(client: Client, groupId: string): Promise<GroupDescription> {
  try {
    return await client.groups.describe(groupId);
  } catch (error) {
    if ((error as { errorName?: string }).errorName !== "GROUP_ID_NOT_FOUND") throw error;
    const all = await client.groups.list().catch(() => []);
    const near = didYouMean(
      groupId,
      all.map((group) => group.groupId),
    );
    throw new Failure("GROUP_ID_NOT_FOUND", `there is no group ${JSON.stringify(groupId)}`, {
      hint: near ?? "see mantou group list",
    });
  }
}

/** How far a group is behind in everything it has committed, the worst first. */
export async function lagOf(client: Client, group: GroupDescription): Promise<PartitionLag[]> {
  const committed = await client.groups.offsets(group.groupId);
  const readers = readersOf(group);
  const rows: PartitionLag[] = [];
  for (let at = 0; at < committed.length; at += ASKED_AT_ONCE) {
    const some = committed.slice(at, at + ASKED_AT_ONCE);
    const found = await Promise.all(
      some.map(async ({ topic, partition, offset, metadata }) => {
        const end = await endOf(client, topic, partition);
        return {
          group: group.groupId,
          topic,
          partition,
          committed: offset,
          end,
          lag: end === null ? null : Math.max(0, end - offset),
          member: readers.get(`${topic} ${partition}`) ?? null,
          metadata,
        };
      }),
    );
    rows.push(...found);
  }
  return rows.sort(worstFirst);
}

export const totalLag = (rows: readonly PartitionLag[]): number =>
  rows.reduce((sum, row) => sum + (row.lag ?? 0), 0);

function worstFirst(a: PartitionLag, b: PartitionLag): number {
  const byLag = (b.lag ?? -1) - (a.lag ?? -1);
  if (byLag !== 0) return byLag;
  return a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1;
}

/** null: the topic is gone, or its leader is. */
async function endOf(client: Client, topic: string, partition: number): Promise<number | null> {
  try {
    const known = (await client.admin.metadata([topic])).topics[0];
    const leaderId = known?.partitions.find((entry) => entry.partition === partition)?.leaderId;
    if (leaderId === undefined || leaderId < 0) return null;
    return (await client.admin.listOffset(topic, partition, "latest")).offset;
  } catch (error) {
    if ((error as { code?: string }).code === "BROKER") return null;
    throw error;
  }
}

function readersOf(group: GroupDescription): Map<string, string> {
  const readers = new Map<string, string>();
  for (const { memberId, instanceId, assignment } of group.members) {
    for (const { topic, partitions } of assignment) {
      for (const partition of partitions) {
        readers.set(`${topic} ${partition}`, instanceId ?? memberId);
      }
    }
  }
  return readers;
}
