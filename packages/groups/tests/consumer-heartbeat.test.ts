import { expect, test } from "bun:test";
import type { Replies } from "../src/index.ts";
import { World, joinOf } from "./consumer-world.ts";

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
