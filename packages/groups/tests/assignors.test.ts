import { expect, test } from "bun:test";
import type { Uuid } from "@mantou/base";
import { Prng } from "@mantou/base";
import type {
  Assignment,
  Assignor,
  AssignorMember,
  AssignorTopic,
} from "../src/assignors/index.ts";
import {
  ASSIGNORS,
  NO_PARTITIONS,
  rangeAssignor,
  uniformAssignor,
} from "../src/assignors/index.ts";

const topicOf = (
  name: string,
  partitionCount: number,
  racks: AssignorTopic["racks"] = null,
): AssignorTopic => ({ topicId: name.padEnd(22, "A") as Uuid, partitionCount, racks });

const memberOf = (
  memberId: string,
  topics: readonly AssignorTopic[],
  more: Partial<AssignorMember> = {},
): AssignorMember => ({
  memberId,
  instanceId: null,
  rackId: null,
  topics,
  previous: NO_PARTITIONS,
  ...more,
});

const countOf = (assignment: Assignment | undefined): number =>
  [...(assignment ?? NO_PARTITIONS).values()].reduce((sum, list) => sum + list.length, 0);

const withPrevious = (
  members: readonly AssignorMember[],
  assigned: ReadonlyMap<string, Assignment>,
): AssignorMember[] =>
  members.map((member) => ({
    ...member,
    previous: assigned.get(member.memberId) ?? NO_PARTITIONS,
  }));

/** Owner of `topic-partition`; throws where a partition has two, or an owner does not subscribe. */
function ownersOf(
  members: readonly AssignorMember[],
  assigned: ReadonlyMap<string, Assignment>,
): Map<string, string> {
  const owners = new Map<string, string>();
  for (const member of members) {
    const topics = new Map(member.topics.map((topic) => [topic.topicId, topic]));
    for (const [topicId, partitions] of assigned.get(member.memberId) ?? NO_PARTITIONS) {
      const topic = topics.get(topicId);
      if (topic === undefined)
        throw new Error(`${member.memberId} does not subscribe to ${topicId}`);
      expect([...partitions].sort((a, b) => a - b)).toEqual([...partitions]);
      for (const partition of partitions) {
        const key = `${topicId}-${partition}`;
        if (partition >= topic.partitionCount) throw new Error(`${key} does not exist`);
        if (owners.has(key)) throw new Error(`${key} has two owners`);
        owners.set(key, member.memberId);
      }
    }
  }
  for (const topic of new Set(members.flatMap((member) => [...member.topics]))) {
    for (let partition = 0; partition < topic.partitionCount; partition++) {
      const key = `${topic.topicId}-${partition}`;
      if (!owners.has(key)) throw new Error(`${key} has no owner`);
    }
  }
  return owners;
}

/** No single partition could move and bring two members closer. */
function expectBalanced(
  members: readonly AssignorMember[],
  assigned: ReadonlyMap<string, Assignment>,
): void {
  for (const giver of members) {
    for (const taker of members) {
      const gap = countOf(assigned.get(giver.memberId)) - countOf(assigned.get(taker.memberId));
      if (gap < 2) continue;
      for (const topicId of (assigned.get(giver.memberId) ?? NO_PARTITIONS).keys()) {
        if (taker.topics.some((topic) => topic.topicId === topicId)) {
          throw new Error(
            `${giver.memberId} has ${gap} more than ${taker.memberId}, both on ${topicId}`,
          );
        }
      }
    }
  }
}

function expectRange(
  members: readonly AssignorMember[],
  assigned: ReadonlyMap<string, Assignment>,
): void {
  const topics = new Map(
    members.flatMap((m) => m.topics.map((topic) => [topic.topicId, topic] as const)),
  );
  for (const [topicId, topic] of topics) {
    const subscribers = members.filter((m) => m.topics.some((t) => t.topicId === topicId));
    const least = Math.floor(topic.partitionCount / subscribers.length);
    for (const { memberId } of subscribers) {
      const count = assigned.get(memberId)?.get(topicId)?.length ?? 0;
      expect(count === least || count === least + 1).toBe(true);
    }
  }
}

function moves(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): number {
  let count = 0;
  for (const [key, owner] of before) if (after.has(key) && after.get(key) !== owner) count++;
  return count;
}

function randomMembers(
  random: Prng,
  topics: readonly AssignorTopic[],
  homogeneous: boolean,
): AssignorMember[] {
  const racks = [null, "a", "b", "c"];
  return Array.from({ length: random.between(1, 12) }, (_, i) => {
    const picked = homogeneous ? topics : topics.filter(() => random.chance(1, 2));
    const instanceId = random.chance(1, 4) ? `instance-${i}` : null;
    return memberOf(`member-${i}`, picked, { rackId: random.pick(racks), instanceId });
  });
}

function randomTopics(random: Prng): AssignorTopic[] {
  return Array.from({ length: random.between(1, 6) }, (_, i) => {
    const count = random.between(1, 20);
    const racks = Array.from({ length: count }, () => [
      random.pick(["a", "b"]),
      random.pick(["b", "c"]),
    ]);
    return topicOf(`topic${i}`, count, random.chance(1, 2) ? racks : null);
  });
}

for (const [name, assignor] of ASSIGNORS) {
  test(`${name}: one owner each, balanced, unmoved without a cause, in any order`, () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = new Prng(seed);
      const topics = randomTopics(random);
      const members = randomMembers(random, topics, random.chance(1, 2));
      const assigned = assignor(members);
      const owners = ownersOf(members, assigned);
      if (name === "uniform") expectBalanced(members, assigned);
      else expectRange(members, assigned);
      // The same again, told in another order: nothing moves.
      const again = assignor(withPrevious(members, assigned).toReversed());
      expect([seed, moves(owners, ownersOf(members, again))]).toEqual([seed, 0]);
    }
  });
}

test("uniform: a member that leaves or comes moves no more than it must", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Prng(seed);
    const topics = randomTopics(random);
    const members = randomMembers(random, topics, true);
    if (members.length < 2) continue;
    const before = uniformAssignor(members);
    const owners = ownersOf(members, before);
    const gone = random.pick(members);
    const left = withPrevious(members, before).filter(
      (member) => member.memberId !== gone.memberId,
    );
    const after = uniformAssignor(left);
    expect([seed, moves(owners, ownersOf(left, after))]).toEqual([
      seed,
      countOf(before.get(gone.memberId)),
    ]);
    const joined = [...withPrevious(left, after), memberOf("newcomer", topics)];
    const final = uniformAssignor(joined);
    const moved = moves(ownersOf(left, after), ownersOf(joined, final));
    expect([seed, moved]).toEqual([seed, countOf(final.get("newcomer"))]);
  }
});

test("uniform: a new member that subscribes to one topic of many takes only from that one", () => {
  const [a, b] = [topicOf("a", 10), topicOf("b", 10)];
  const members = [memberOf("m1", [a, b]), memberOf("m2", [a, b])];
  const before = uniformAssignor(members);
  const joined = [...withPrevious(members, before), memberOf("m3", [b])];
  const after = uniformAssignor(joined);
  expectBalanced(joined, after);
  expect(countOf(after.get("m3"))).toBe(6);
  expect(moves(ownersOf(members, before), ownersOf(joined, after))).toBe(6);
});

test("range: topics with equally many partitions are divided alike", () => {
  const topics = [topicOf("a", 7), topicOf("b", 7), topicOf("c", 5)];
  const members = ["m1", "m2", "m3"].map((id) => memberOf(id, topics));
  const assigned = rangeAssignor(members);
  for (const { memberId } of members) {
    const [a, b] = topics as [AssignorTopic, AssignorTopic];
    expect(assigned.get(memberId)?.get(a.topicId)).toEqual(
      assigned.get(memberId)?.get(b.topicId) as readonly number[],
    );
  }
  expect(assigned.get("m1")?.get((topics[0] as AssignorTopic).topicId)).toEqual([0, 1, 2]);
});

test("range: static members keep their ranges though their ids change", () => {
  const topics = [topicOf("a", 9)];
  const first = ["x", "y", "z"].map((id, i) => memberOf(id, topics, { instanceId: `i${i}` }));
  const second = ["r", "q", "p"].map((id, i) => memberOf(id, topics, { instanceId: `i${i}` }));
  const [before, after] = [rangeAssignor(first), rangeAssignor(second)];
  for (const [i, member] of first.entries()) {
    expect(after.get((second[i] as AssignorMember).memberId)).toEqual(
      before.get(member.memberId) as Assignment,
    );
  }
});

test.each([...ASSIGNORS])("%s: members get what is in their rack", (_, assignor: Assignor) => {
  const racks = Array.from({ length: 12 }, (_each, partition) => [
    ["a", "b", "c"][partition % 3] as string,
  ]);
  const topic = topicOf("t", 12, racks);
  const members = ["c", "a", "b"].map((rackId, i) => memberOf(`m${i}`, [topic], { rackId }));
  const assigned = assignor(members);
  ownersOf(members, assigned);
  for (const member of members) {
    for (const partition of assigned.get(member.memberId)?.get(topic.topicId) ?? []) {
      expect(racks[partition]).toEqual([member.rackId as string]);
    }
  }
});

test("nobody, nothing subscribed, more members than partitions", () => {
  for (const assignor of ASSIGNORS.values()) {
    expect(assignor([])).toEqual(new Map());
    expect(assignor([memberOf("m", [])])).toEqual(new Map([["m", NO_PARTITIONS]]));
    const topic = topicOf("t", 2);
    const members = ["m1", "m2", "m3"].map((id) => memberOf(id, [topic]));
    expect(ownersOf(members, assignor(members)).size).toBe(2);
  }
});
