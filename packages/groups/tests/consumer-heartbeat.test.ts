import { expect, test } from "bun:test";
import type { ConsumerGroupHeartbeatRequest } from "@mantou/protocol";
import { ErrorCode, encodeConsumerSubscription } from "@mantou/protocol";
import type { Replies } from "../src/index.ts";
import { DEFAULT_GROUP_SETTINGS } from "../src/index.ts";
import { World, classicJoin, joinOf } from "./consumer-world.ts";

type Answer = Replies["consumerGroupHeartbeat"];

const partitionsOf = (answer: Answer): number[] | null =>
  answer.assignment === null || answer.assignment === undefined
    ? null
    : answer.assignment.topicPartitions.flatMap(({ partitions }) => [...partitions]);

test("one member gets everything, a second takes half when the first has given it up", () => {
  const world = new World();
  const topicId = world.topics.create("t", 4);
  const first = world.heartbeat(joinOf("m1", ["t"]));
  expect(first).toMatchObject({ errorCode: 0, memberEpoch: 1, heartbeatIntervalMs: 5_000 });
  expect(partitionsOf(first)).toEqual([0, 1, 2, 3]);
  const second = world.heartbeat(joinOf("m2", ["t"]));
  expect(second.memberEpoch).toBe(2);
  expect(partitionsOf(second)).toEqual([]);
  expect(world.describe().groupState).toBe("Reconciling");
  const told = world.heartbeat({ memberId: "m1", memberEpoch: 1 });
  expect([told.memberEpoch, partitionsOf(told)?.length]).toEqual([1, 2]);
  // Nothing moves before the first says that it has revoked.
  expect(partitionsOf(world.heartbeat({ memberId: "m2", memberEpoch: 2 }))).toBeNull();
  const kept = partitionsOf(told) as number[];
  const acknowledged = world.heartbeat({
    memberId: "m1",
    memberEpoch: 1,
    topicPartitions: [{ topicId, partitions: kept }],
  });
  expect(acknowledged.memberEpoch).toBe(2);
  const given = world.heartbeat({ memberId: "m2", memberEpoch: 2 });
  expect(partitionsOf(given)).toEqual([0, 1, 2, 3].filter((p) => !kept.includes(p)));
  expect(world.describe().groupState).toBe("Stable");
  world.shard.checkInvariants();
});

type Malformed = readonly [
  string,
  Partial<ConsumerGroupHeartbeatRequest> & { memberId: string },
  number,
  string,
];

const malformed: readonly Malformed[] = [
  ["no member id, version 1", joinOf("", ["t"]), 1, "MemberId can't be empty."],
  ["a blank member id", joinOf("  ", ["t"]), 1, "MemberId can't be empty."],
  ["no member id with an epoch", { memberId: "", memberEpoch: 4 }, 0, "MemberId can't be empty."],
  ["no member id to leave", { memberId: "", memberEpoch: -1 }, 0, "MemberId can't be empty."],
  ["no group id", joinOf("m", ["t"], { groupId: "" }), 1, "GroupId can't be empty."],
  ["a blank instance", joinOf("m", ["t"], { instanceId: "" }), 1, "InstanceId can't be empty."],
  ["a blank rack", joinOf("m", ["t"], { rackId: " " }), 1, "RackId can't be empty."],
  [
    "no rebalance timeout",
    joinOf("m", ["t"], { rebalanceTimeoutMs: -1 }),
    1,
    "RebalanceTimeoutMs must be provided in first request.",
  ],
  [
    "owned partitions not said",
    joinOf("m", ["t"], { topicPartitions: null }),
    1,
    "TopicPartitions must be empty when (re-)joining.",
  ],
  [
    "neither names nor pattern",
    joinOf("m", [], { subscribedTopicNames: null }),
    1,
    "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
  ],
  ["static leave of nobody", { memberId: "m", memberEpoch: -2 }, 1, "InstanceId can't be null."],
  ["an epoch that means nothing", { memberId: "m", memberEpoch: -3 }, 1, "MemberEpoch is invalid."],
];

test.each(malformed)("refuses %s", (_, request, version, message) => {
  const world = new World();
  const answer = world.heartbeat(request, version);
  expect([answer.errorCode, answer.errorMessage]).toEqual([ErrorCode.INVALID_REQUEST, message]);
  expect(world.log).toEqual([]);
  expect(world.describe().errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
});

test("version 0 gives a member its id", () => {
  const world = new World();
  world.topics.create("t", 1);
  const answer = world.heartbeat(joinOf("", ["t"]), 0);
  expect(answer.memberId).toMatch(/^uuid-1/);
  const again = world.heartbeat({ memberId: answer.memberId as string, memberEpoch: 1 }, 0);
  expect(again).toMatchObject({ errorCode: 0, memberEpoch: 1, assignment: null });
});

test("a full request is told its assignment though nothing changed", () => {
  const world = new World();
  const topicId = world.topics.create("t", 2);
  world.heartbeat(joinOf("m", ["t"]));
  const owned = [{ topicId, partitions: [0, 1] }];
  const full = joinOf("m", ["t"], { memberEpoch: 1, topicPartitions: owned });
  expect(partitionsOf(world.heartbeat(full))).toEqual([0, 1]);
  expect(partitionsOf(world.heartbeat({ memberId: "m", memberEpoch: 1 }))).toBeNull();
});

test("settled heartbeats write nothing and set no timer", () => {
  const world = new World();
  world.topics.create("t", 2);
  world.heartbeat(joinOf("m", ["t"]));
  const timers = JSON.stringify([...world.timers]);
  for (let i = 0; i < 20; i++) {
    world.nowMs += 1_000;
    world.heartbeat({ memberId: "m", memberEpoch: 1 });
    expect(world.wrote).toEqual([]);
  }
  expect(JSON.stringify([...world.timers])).toBe(timers);
  // The session counts from the last of them all the same.
  world.pass(44_999);
  expect(world.describe().members).toHaveLength(1);
  world.pass(1);
  expect(world.describe().members).toHaveLength(0);
});

test("what members may say is bounded", () => {
  const { bounds } = DEFAULT_GROUP_SETTINGS;
  const world = new World({
    bounds: {
      ...bounds,
      memberMetadataBytesMax: 1_000,
      groupMetadataBytesMax: 2_000,
      groupsMax: 1,
    },
  });
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `topic-${i}`);
  const large = world.heartbeat(joinOf("m", many(500)));
  expect(large.errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE);
  expect(world.heartbeat(joinOf("m1", many(60))).errorCode).toBe(0);
  expect(world.heartbeat(joinOf("m2", many(60))).errorCode).toBe(0);
  const full = world.heartbeat(joinOf("m3", many(60)));
  expect(full.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
  // Who is in already may say the same again.
  expect(world.heartbeat(joinOf("m2", many(60))).errorCode).toBe(0);
  const other = world.heartbeat(joinOf("m", [], { groupId: "other" }));
  expect(other.errorCode).toBe(ErrorCode.POLICY_VIOLATION);
  world.shard.checkInvariants();
});

test("a group that is not of consumers is left alone", () => {
  const world = new World({ initialRebalanceDelayMs: 0 });
  const metadata = new Uint8Array([0xff]);
  const request = classicJoin("", [], [], {
    protocolType: "connect",
    protocols: [{ name: "x", metadata }],
  });
  const client = { clientId: "c", clientHost: "/127.0.0.1" };
  world.ask({ kind: "joinGroup", ...client, version: 3, request });
  const answer = world.heartbeat(joinOf("m", ["t"]));
  expect(answer.errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
  expect(answer.errorMessage).toContain("does not use the consumer embedded protocol");
  const later = world.heartbeat({ memberId: "m", memberEpoch: 2 });
  expect(later.errorMessage).toBe("Group g is not a consumer group.");
});

test("members of the classic protocol are checked one by one", () => {
  const world = new World({ initialRebalanceDelayMs: 0 });
  world.topics.create("t", 2);
  world.heartbeat(joinOf("m", ["t"]));
  const client = { clientId: "c", clientHost: "/127.0.0.1" };
  const join = (
    change: Partial<ReturnType<typeof classicJoin>>,
    version = 5,
  ): Replies["joinGroup"] =>
    world.call({
      kind: "joinGroup",
      ...client,
      version,
      request: classicJoin("", ["t"], [], change),
    });
  expect(join({}).errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED);
  expect(join({ protocolType: "connect" }).errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  const broken = [{ name: "range", metadata: new Uint8Array([0]) }];
  expect(join({ protocols: broken }).errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  const joined = join({ memberId: "c-1" });
  expect(joined).toMatchObject({ errorCode: 0, generationId: 2, leader: "", memberId: "c-1" });
  const metadata = encodeConsumerSubscription({ topics: ["t"], userData: null }, 0);
  const other = join({ memberId: "c-2", protocols: [{ name: "sticky", metadata }] });
  expect(other.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  const base = { groupId: "g", generationId: 2, memberId: "c-1", groupInstanceId: null };
  const sync = (change: object): number =>
    world.call({
      kind: "syncGroup",
      ...client,
      version: 5,
      request: {
        ...base,
        protocolType: "consumer",
        protocolName: "range",
        assignments: [],
        ...change,
      },
    }).errorCode;
  expect(sync({ memberId: "nobody" })).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  expect(sync({ memberId: "m" })).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  expect(sync({ generationId: 1 })).toBe(ErrorCode.ILLEGAL_GENERATION);
  expect(sync({ protocolName: "sticky" })).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  expect(sync({})).toBe(0);
  const beat = (change: object): number =>
    world.call({ kind: "heartbeat", ...client, version: 4, request: { ...base, ...change } })
      .errorCode;
  expect(beat({ generationId: 9 })).toBe(ErrorCode.ILLEGAL_GENERATION);
  expect(beat({ memberId: "m" })).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  // One partition is still the other's, so there is nothing to rejoin for.
  expect(beat({})).toBe(0);
});

test("records that later versions write are passed over", () => {
  const world = new World();
  world.topics.create("t", 1);
  world.heartbeat(joinOf("m", ["t"]));
  const key = new Uint8Array([0, 99, 0, 1, 0x67]);
  const obsolete = new Uint8Array([0, 4, 0, 1, 0x67]);
  world.log.push({ key, value: new Uint8Array([0, 7, 1, 2, 3]) });
  world.log.push({ key: obsolete, value: new Uint8Array([0, 0, 1, 0]) });
  world.log.push({ key: new Uint8Array([0, 3, 0, 1, 0x67]), value: new Uint8Array([0, 9, 1]) });
  const before = world.describe();
  world.reload();
  expect(world.describe()).toEqual(before);
});
