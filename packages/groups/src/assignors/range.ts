import type { Uuid } from "@mantou/base";
import { assert } from "@mantou/base";
import type { Assignment, Assignor, AssignorMember, AssignorTopic } from "./assignor.ts";
import { AssignmentBuilder, inStableOrder, isNear } from "./assignor.ts";

const NOBODY = -1;

/** Topics with the same subscribers and the same number of partitions: they can be joined. */
interface CoPartitioned {
  readonly topics: AssignorTopic[];
  readonly subscribers: readonly number[];
  readonly partitionCount: number;
}

/**
 * The range assignor of KIP-848. Of every topic a member gets floor(partitions / subscribers) or
 * one more; of topics that can be joined everybody gets the same partition numbers. Within that
 * members keep what they had, get what is in their rack, and else runs of neighbours.
 */
export const rangeAssignor: Assignor = (members) => {
  const ordered = inStableOrder(members);
  const built = ordered.map(() => new AssignmentBuilder());
  for (const set of coPartitionedSets(ordered)) {
    const owners = divide(set, ordered);
    for (const { topicId } of set.topics) {
      for (let partition = 0; partition < owners.length; partition++) {
        (built[owners[partition] as number] as AssignmentBuilder).add(topicId, partition);
      }
    }
  }
  const assigned = new Map<string, Assignment>();
  for (const [index, member] of ordered.entries()) {
    assigned.set(member.memberId, (built[index] as AssignmentBuilder).take());
  }
  return assigned;
};

function coPartitionedSets(members: readonly AssignorMember[]): CoPartitioned[] {
  const topics = new Map<Uuid, AssignorTopic>();
  const subscribers = new Map<Uuid, number[]>();
  for (const [index, member] of members.entries()) {
    for (const topic of member.topics) {
      topics.set(topic.topicId, topic);
      const list = subscribers.get(topic.topicId);
      if (list === undefined) subscribers.set(topic.topicId, [index]);
      else list.push(index);
    }
  }
  const sets = new Map<string, CoPartitioned>();
  for (const topic of [...topics.values()].sort((a, b) => (a.topicId < b.topicId ? -1 : 1))) {
    const list = subscribers.get(topic.topicId) as number[];
    const { partitionCount } = topic;
    const key = `${partitionCount}:${list.length === members.length ? "all" : list.join(",")}`;
    const set = sets.get(key);
    if (set === undefined) sets.set(key, { topics: [topic], subscribers: list, partitionCount });
    else set.topics.push(topic);
  }
  return [...sets.values()];
}

/** Member index by partition, the same for all topics of the set. */
function divide(set: CoPartitioned, members: readonly AssignorMember[]): Int32Array {
  const { partitionCount, subscribers } = set;
  const owners = new Int32Array(partitionCount).fill(NOBODY);
  const held = previousOwners(set, members);
  const least = Math.floor(partitionCount / subscribers.length);
  let extra = partitionCount - least * subscribers.length;
  const quotas = new Map<number, number>();
  for (const index of subscribers) {
    const had = held.get(index) ?? [];
    let quota = least;
    if (had.length > least && extra > 0) {
      quota++;
      extra--;
    }
    for (const partition of nearFirst(set, members[index] as AssignorMember, had, quota)) {
      owners[partition] = index;
    }
    quotas.set(index, quota);
  }
  for (const index of subscribers) {
    if (extra === 0) break;
    if (quotas.get(index) !== least) continue;
    quotas.set(index, least + 1);
    extra--;
  }
  for (const partition of owners) {
    if (partition !== NOBODY) quotas.set(partition, (quotas.get(partition) as number) - 1);
  }
  fillNear(set, members, owners, quotas);
  fill(owners, subscribers, quotas);
  return owners;
}

/**
 * Partition numbers by the member that held them. Where topics of the set disagree, because they
 * were not always joinable, the member that held the number in most topics has it.
 */
function previousOwners(
  set: CoPartitioned,
  members: readonly AssignorMember[],
): Map<number, number[]> {
  const best = new Int32Array(set.partitionCount).fill(NOBODY);
  const votes = new Int32Array(set.partitionCount);
  const mine = new Int32Array(set.partitionCount);
  for (const index of set.subscribers) {
    const touched: number[] = [];
    const { previous } = members[index] as AssignorMember;
    for (const { topicId } of set.topics) {
      for (const partition of previous.get(topicId) ?? []) {
        if (partition >= set.partitionCount) continue;
        if (mine[partition] === 0) touched.push(partition);
        (mine[partition] as number)++;
      }
    }
    for (const partition of touched) {
      if ((mine[partition] as number) > (votes[partition] as number)) {
        votes[partition] = mine[partition] as number;
        best[partition] = index;
      }
      mine[partition] = 0;
    }
  }
  const held = new Map<number, number[]>();
  for (const [partition, index] of best.entries()) {
    if (index === NOBODY) continue;
    const list = held.get(index);
    if (list === undefined) held.set(index, [partition]);
    else list.push(partition);
  }
  return held;
}

/** The `quota` of what a member had that it keeps. */
function nearFirst(
  set: CoPartitioned,
  member: AssignorMember,
  had: readonly number[],
  quota: number,
): readonly number[] {
  if (had.length <= quota) return had;
  const near = had.filter((partition) => isNearAll(set, member, partition));
  if (near.length === 0) return had.slice(0, quota);
  const far = had.filter((partition) => !isNearAll(set, member, partition));
  return [...near, ...far].slice(0, quota);
}

const isNearAll = (set: CoPartitioned, member: AssignorMember, partition: number): boolean =>
  set.topics.every((topic) => isNear(member, topic, partition));

function fillNear(
  set: CoPartitioned,
  members: readonly AssignorMember[],
  owners: Int32Array,
  quotas: Map<number, number>,
): void {
  if (set.topics.every((topic) => topic.racks === null)) return;
  for (const index of set.subscribers) {
    const member = members[index] as AssignorMember;
    let quota = quotas.get(index) as number;
    if (member.rackId === null || quota === 0) continue;
    for (let partition = 0; partition < owners.length && quota > 0; partition++) {
      if (owners[partition] !== NOBODY || !isNearAll(set, member, partition)) continue;
      owners[partition] = index;
      quota--;
    }
    quotas.set(index, quota);
  }
}

function fill(
  owners: Int32Array,
  subscribers: readonly number[],
  quotas: ReadonlyMap<number, number>,
): void {
  let at = 0;
  let left = quotas.get(subscribers[0] as number) as number;
  for (let partition = 0; partition < owners.length; partition++) {
    if (owners[partition] !== NOBODY) continue;
    while (left === 0) {
      at++;
      assert(at < subscribers.length, "the quotas add up to the partitions");
      left = quotas.get(subscribers[at] as number) as number;
    }
    owners[partition] = subscribers[at] as number;
    left--;
  }
}
