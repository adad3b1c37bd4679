import { expect, test } from "bun:test";
import type { ReplayedBatch } from "@mantou/base";
import { ZERO_UUID } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { GroupMetadata } from "../src/index.ts";
import { GroupShard, groupMetadataRecord, offsetCommitRecord } from "../src/index.ts";
import { ShardHost, commit, fetch, heartbeat, join, leave, sync } from "./shard-host.ts";

const PLAIN: ReplayedBatch = {
  baseOffset: 0,
  producerId: -1,
  producerEpoch: -1,
  isTransactional: false,
};

const offset = {
  offset: 5,
  leaderEpoch: -1,
  metadata: "",
  commitTimestampMs: 1,
  expireTimestampMs: -1,
  topicId: ZERO_UUID,
};

function load(fill: (shard: GroupShard) => void): ShardHost {
  const host = new ShardHost();
  host.topics.create("orders", 4);
  const shard = new GroupShard(host.context);
  fill(shard);
  host.adopt(shard);
  shard.checkInvariants();
  return host;
}

const group: GroupMetadata = {
  protocolType: "consumer",
  generation: 3,
  protocol: "range",
  leader: "a",
  currentStateTimestamp: 1,
  members: ["a", "b"].map((memberId) => ({
    memberId,
    groupInstanceId: null,
    clientId: "c",
    clientHost: "/h",
    rebalanceTimeout: -1,
    sessionTimeout: 10_000,
    subscription: new Uint8Array(),
    assignment: new Uint8Array([1]),
  })),
};

test("records that cannot be read are passed over", () => {
  const bad = [[], [0], [0, 1], [0, 2, 0, 9], [0, 99, 1], [255, 255], [0, 1, 0, 1, 65, 0, 1, 66]];
  const host = load((shard) => {
    for (const key of bad) {
      for (const value of [null, [], [0, 9], [0, 3, 1]]) {
        const record = {
          key: new Uint8Array(key),
          value: value === null ? null : new Uint8Array(value),
        };
        shard.replay(record, PLAIN);
      }
    }
    shard.replay(offsetCommitRecord("g", "orders", 0, offset), PLAIN);
  });
  expect(host.shard.groupCount).toBe(1);
  expect(host.call(fetch("g")).topics[0]?.partitions[0]?.committedOffset).toBe(5);
});

test("offsets of the oldest type", () => {
  const host = load((shard) => {
    const record = offsetCommitRecord("g", "orders", 0, offset);
    record.key[1] = 0;
    shard.replay(record, PLAIN);
  });
  expect(host.call(fetch("g")).topics[0]?.partitions[0]?.committedOffset).toBe(5);
});

test("members of a loaded group have their sessions, and what they said", () => {
  const host = load((shard) => shard.replay(groupMetadataRecord("g", group), PLAIN));
  expect(host.call(heartbeat("g", "a", 3)).errorCode).toBe(0);
  expect(host.call(sync("g", "b", 3)).assignment).toEqual(new Uint8Array([1]));
  host.pass(5_000);
  host.call(heartbeat("g", "a", 3));
  host.pass(5_000);
  expect(host.call(heartbeat("g", "b", 3)).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  expect(host.call(heartbeat("g", "a", 3)).errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
});

test("a group that is larger than it may be now keeps who comes first", () => {
  const host = new ShardHost({ classicMembersMax: 1 });
  const shard = new GroupShard(host.context);
  shard.replay(groupMetadataRecord("g", group), PLAIN);
  host.adopt(shard);
  shard.checkInvariants();
  expect([...host.timers.keys()].some((key) => key.startsWith("join"))).toBe(true);
  expect(host.call(heartbeat("g", "a", 3)).errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  const first = host.ask(join("g", { memberId: "b", metadata: new Uint8Array() }));
  const second = host.call(join("g", { memberId: "a", metadata: new Uint8Array() }));
  expect(second.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
  host.tell({ kind: "joinTimeout", groupId: "g" });
  expect(host.replyTo<"joinGroup">(first)?.leader).toBe("b");
});

test("records that contradict themselves", () => {
  const [a] = group.members;
  if (a === undefined) throw new Error("no member");
  const host = load((shard) => {
    const doubled = { ...group, leader: "nobody", members: [a, a] };
    shard.replay(groupMetadataRecord("g", doubled), PLAIN);
    const unnamed = { ...group, protocol: null, protocolType: "" };
    shard.replay(groupMetadataRecord("h", unnamed), PLAIN);
  });
  expect(host.call(heartbeat("g", "a", 3)).errorCode).toBe(0);
  expect(host.call({ kind: "describeGroup", groupId: "h", version: 6 }).members.length).toBe(2);
});

test("an emptied group's offsets outlive a crash, and its generation goes on", () => {
  const host = new ShardHost();
  host.topics.create("orders", 4);
  const { memberId } = host.call(join("g"));
  host.call(sync("g", memberId, 1));
  host.call(commit("g", "orders", 0, 5, { memberId, generationId: 1 }));
  host.call(leave("g", [{ memberId, groupInstanceId: null }]));
  host.crash();
  expect(host.call(join("g")).generationId).toBe(3);
  expect(host.call(fetch("g")).topics[0]?.partitions[0]?.committedOffset).toBe(5);
});

test("timers that fire for what is gone", () => {
  const host = new ShardHost();
  for (const groupId of ["nobody", "g"]) {
    host.tell({ kind: "joinTimeout", groupId });
    host.tell({ kind: "syncTimeout", groupId, generationId: 1 });
    host.tell({ kind: "sessionTimeout", groupId, memberId: "x" });
    host.tell({ kind: "initialDelayOver", groupId, delayMs: 1, remainingMs: 1 });
    host.ask(join("g"));
  }
  host.shard.checkInvariants();
});
