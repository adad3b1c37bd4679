/**
 * `bun packages/groups/bench/consumer.ts [members] [partitions]`: what a group of the consumer
 * protocol costs its coordinator. Everything but the machine itself is left out: no sockets, no
 * disk. Time is CPU time of this process.
 */
import type { Uuid } from "@mantou/base";
import { ASSIGNORS } from "../src/assignors/index.ts";
import type { Assignment, AssignorMember } from "../src/assignors/index.ts";
import type { Replies } from "../src/index.ts";
import { DEFAULT_GROUP_SETTINGS } from "../src/index.ts";
import { World, joinOf } from "../tests/consumer-world.ts";

const members = Number(process.argv[2] ?? 1_000);
const partitions = Number(process.argv[3] ?? 1_000);

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};
const row = (name: string, value: string): void => {
  console.log(`${name.padEnd(64)} ${value}`);
};
const timed = <T>(act: () => T): [T, number] => {
  const start = cpuMs();
  const result = act();
  return [result, cpuMs() - start];
};

function benchAssignors(): void {
  const topic = { topicId: "t".padEnd(22, "A") as Uuid, partitionCount: partitions, racks: null };
  const other = { ...topic, topicId: "u".padEnd(22, "A") as Uuid };
  const both = [topic, other];
  const first = [topic];
  for (const [name, assignor] of ASSIGNORS) {
    for (const mixed of [false, true]) {
      let list: AssignorMember[] = Array.from({ length: members }, (_, i) => ({
        memberId: `member-${i}`,
        instanceId: null,
        rackId: null,
        topics: mixed && i % 2 === 0 ? first : both,
        previous: new Map() as Assignment,
      }));
      const [assigned, freshMs] = timed(() => assignor(list));
      list = list.map((member) => ({
        ...member,
        previous: assigned.get(member.memberId) as Assignment,
      }));
      const [, againMs] = timed(() => {
        for (let i = 0; i < 10; i++) assignor(list.slice(1));
      });
      const kind = mixed ? "mixed subscriptions" : "equal subscriptions";
      row(`${name}, ${kind}, 2 topics: from nothing`, `${freshMs.toFixed(1)} ms`);
      row(`${name}, ${kind}, 2 topics: after one member left`, `${(againMs / 10).toFixed(2)} ms`);
    }
  }
}

interface Member {
  readonly memberId: string;
  epoch: number;
  owned: Replies["consumerGroupHeartbeat"]["assignment"];
  hasNews: boolean;
}

function beat(world: World, member: Member): void {
  const answer = world.heartbeat({
    memberId: member.memberId,
    memberEpoch: member.epoch,
    topicPartitions: member.hasNews
      ? (member.owned?.topicPartitions.map((each) => ({
          topicId: each.topicId,
          partitions: [...each.partitions],
        })) ?? [])
      : null,
  });
  member.hasNews = false;
  member.epoch = answer.memberEpoch;
  if (answer.assignment === null || answer.assignment === undefined) return;
  member.owned = answer.assignment;
  member.hasNews = true;
}

function settle(world: World, list: readonly Member[]): number {
  for (let rounds = 1; ; rounds++) {
    world.pass(1_000);
    for (const member of list) beat(world, member);
    if (world.describe().groupState === "Stable") return rounds;
  }
}

function benchGroup(assignmentIntervalMs: number): void {
  const consumer = { ...DEFAULT_GROUP_SETTINGS.consumer, assignmentIntervalMs };
  const world = new World({ consumer });
  world.topics.create("t", partitions);
  const heapBefore = usedBytes();
  const [list, joinMs] = timed(() =>
    Array.from({ length: members }, (_, i): Member => {
      const memberId = `member-${i}`;
      const { memberEpoch, assignment } = world.heartbeat(joinOf(memberId, ["t"]));
      return { memberId, epoch: memberEpoch, owned: assignment, hasNews: true };
    }),
  );
  world.pass(assignmentIntervalMs);
  const [rounds, settleMs] = timed(() => settle(world, list));
  const title = `interval ${assignmentIntervalMs} ms: `;
  row(`${title}${members} joins`, `${joinMs.toFixed(0)} ms`);
  row(`${title}settles in ${rounds} rounds of heartbeats`, `${settleMs.toFixed(0)} ms`);
  const bytes = world.log.reduce(
    (sum, { key, value }) => sum + key.length + (value?.length ?? 0),
    0,
  );
  row(`${title}written`, `${world.log.length} records, ${(bytes / 1e6).toFixed(1)} MB`);
  world.log = [];
  const beats = 200;
  const [, steadyMs] = timed(() => {
    for (let i = 0; i < beats; i++) for (const member of list) beat(world, member);
  });
  const perBeatUs = (steadyMs * 1_000) / (beats * members);
  row(`${title}a heartbeat of a settled group`, `${perBeatUs.toFixed(2)} us`);
  row(`${title}memory of the group`, `${((usedBytes() - heapBefore) / 1e6).toFixed(1)} MB`);
  const leaver = list.shift() as Member;
  const [, leaveMs] = timed(() => {
    world.heartbeat({ memberId: leaver.memberId, memberEpoch: -1 });
    settle(world, list);
  });
  row(`${title}a member leaves, and all settle`, `${leaveMs.toFixed(0)} ms`);
}

function usedBytes(): number {
  Bun.gc(true);
  return process.memoryUsage().heapUsed;
}

console.log(`${members} members, ${partitions} partitions, CPU time`);
benchAssignors();
benchGroup(0);
benchGroup(1_000);
