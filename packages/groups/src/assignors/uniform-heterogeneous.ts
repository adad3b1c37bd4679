import type { Uuid } from "@mantou/base";
import { assert } from "@mantou/base";
import type { Assignment, AssignorMember, AssignorTopic } from "./assignor.ts";
import { AssignmentBuilder, isNear } from "./assignor.ts";

const NOBODY = -1;

interface TopicState {
  readonly topic: AssignorTopic;
  /** Indices of members that subscribe. */
  readonly subscribers: number[];
  /** Member index by partition. */
  readonly owners: Int32Array;
}

/**
 * Members subscribe to different topics. Everybody keeps what it had; what is loose goes to the
 * subscriber with the least; then partitions move one by one from who has more to who has at
 * least two fewer, until no single move brings two members closer to each other.
 */
export function assignHeterogeneous(members: readonly AssignorMember[]): Map<string, Assignment> {
  const topics = topicStates(members);
  const loads = new Int32Array(members.length);
  for (const [index, member] of members.entries()) keep(topics, loads, member, index);
  // Topics that few can take come first: their members get less of the others.
  const ordered = [...topics.values()].sort((a, b) => {
    const fewer = a.subscribers.length - b.subscribers.length;
    return fewer !== 0 ? fewer : a.topic.topicId < b.topic.topicId ? -1 : 1;
  });
  for (const state of ordered) handOut(state, members, loads);
  let moved = true;
  while (moved) {
    moved = false;
    for (const state of ordered) if (balance(state, loads)) moved = true;
  }
  const built = members.map(() => new AssignmentBuilder());
  for (const { topic, owners } of ordered) {
    for (let partition = 0; partition < owners.length; partition++) {
      (built[owners[partition] as number] as AssignmentBuilder).add(topic.topicId, partition);
    }
  }
  return new Map(
    members.map((member, index) => [member.memberId, (built[index] as AssignmentBuilder).take()]),
  );
}

function topicStates(members: readonly AssignorMember[]): Map<Uuid, TopicState> {
  const topics = new Map<Uuid, TopicState>();
  for (const [index, member] of members.entries()) {
    for (const topic of member.topics) {
      const known = topics.get(topic.topicId);
      if (known !== undefined) {
        known.subscribers.push(index);
        continue;
      }
      const owners = new Int32Array(topic.partitionCount).fill(NOBODY);
      topics.set(topic.topicId, { topic, subscribers: [index], owners });
    }
  }
  return topics;
}

function keep(
  topics: ReadonlyMap<Uuid, TopicState>,
  loads: Int32Array,
  member: AssignorMember,
  index: number,
): void {
  const subscribed = new Set(member.topics.map((topic) => topic.topicId));
  for (const [topicId, partitions] of member.previous) {
    const state = topics.get(topicId);
    if (state === undefined || !subscribed.has(topicId)) continue;
    for (const partition of partitions) {
      if (state.owners[partition] !== NOBODY) continue;
      state.owners[partition] = index;
      (loads[index] as number)++;
    }
  }
}

function handOut(state: TopicState, members: readonly AssignorMember[], loads: Int32Array): void {
  const { topic, owners, subscribers } = state;
  for (let partition = 0; partition < owners.length; partition++) {
    if (owners[partition] !== NOBODY) continue;
    let best = NOBODY;
    let bestIsNear = false;
    for (const index of subscribers) {
      const load = loads[index] as number;
      const least = best === NOBODY ? Infinity : (loads[best] as number);
      if (load > least || (load === least && bestIsNear)) continue;
      const near = isNear(members[index] as AssignorMember, topic, partition);
      if (load === least && !near) continue;
      best = index;
      bestIsNear = near;
    }
    assert(best !== NOBODY, "a topic is here because somebody subscribes to it");
    owners[partition] = best;
    (loads[best] as number)++;
  }
}

/** Each move lowers the sum of the squares of all loads, so this comes to an end. */
function balance(state: TopicState, loads: Int32Array): boolean {
  const { owners, subscribers } = state;
  if (subscribers.length < 2) return false;
  let moved = false;
  for (;;) {
    let least = subscribers[0] as number;
    for (const index of subscribers) {
      if ((loads[index] as number) < (loads[least] as number)) least = index;
    }
    let from = NOBODY;
    for (let partition = owners.length - 1; partition >= 0; partition--) {
      const load = loads[owners[partition] as number] as number;
      const most = from === NOBODY ? 0 : (loads[owners[from] as number] as number);
      if (load > most) from = partition;
    }
    if (from === NOBODY) return moved;
    const owner = owners[from] as number;
    if ((loads[owner] as number) - (loads[least] as number) < 2) return moved;
    owners[from] = least;
    (loads[owner] as number)--;
    (loads[least] as number)++;
    moved = true;
  }
}
