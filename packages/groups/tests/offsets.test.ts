import { describe, expect, test } from "bun:test";
import { ZERO_UUID } from "@mantou/base";
import { ErrorCode, Writer, offsetCommitApi, offsetFetchApi } from "@mantou/protocol";
import { decodeOffsetCommitValue } from "../src/index.ts";
import { ShardHost, commit, fetch, join, sync, txnCommit } from "./shard-host.ts";

function withTopic(): ShardHost {
  const host = new ShardHost();
  host.topics.create("orders", 4);
  return host;
}

describe("topic ids (OffsetCommit v10, OffsetFetch v10)", () => {
  test("are committed and fetched by", () => {
    const host = withTopic();
    const topicId = host.topics.idOf("orders") ?? ZERO_UUID;
    const reply = host.call(commit("g", "", 0, 5, { version: 10, topicId }));
    expect(reply.topics[0]).toEqual({
      name: "",
      topicId,
      partitions: [{ partitionIndex: 0, errorCode: 0 }],
    });
    expect(decodeOffsetCommitValue(host.log[0]?.record?.value ?? new Uint8Array()).topicId).toBe(
      topicId,
    );
    const fetched = host.call(fetch("g", { version: 10, topicIds: [topicId] }));
    expect(fetched.topics[0]?.partitions[0]?.committedOffset).toBe(5);
    const all = host.call(fetch("g", { version: 10 }));
    expect(all.topics[0]?.topicId).toBe(topicId);
    // Older clients see it by name.
    const named = host.call(fetch("g", { topics: { orders: [0] } }));
    expect(named.topics[0]?.partitions[0]?.committedOffset).toBe(5);
    const writer = new Writer(1_024);
    offsetCommitApi.response.encode(writer, reply, 10);
    offsetFetchApi.response.encode(writer, { groups: [all] }, 10);
    offsetFetchApi.response.encode(writer, { groups: [named] }, 8);
  });

  test("that are unknown are named as such, and group errors do not hide it", () => {
    const host = withTopic();
    const unknown = "AAECAwQFBgcICQoLDA0ODw" as typeof ZERO_UUID;
    const reply = host.call(commit("g", "", 0, 5, { version: 10, topicId: unknown }));
    expect(reply.topics[0]?.partitions[0]?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
    expect(host.shard.groupCount).toBe(0);
    const fetched = host.call(fetch("g", { version: 10, topicIds: [unknown] }));
    expect(fetched.topics[0]?.partitions[0]?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
  });

  test("tell a topic from one that had its name before", () => {
    const host = withTopic();
    const topicId = host.topics.idOf("orders") ?? ZERO_UUID;
    host.call(commit("g", "", 0, 5, { version: 10, topicId }));
    host.topics.delete("orders");
    const newId = host.topics.create("orders", 4);
    const fetched = host.call(fetch("g", { version: 10, topicIds: [newId] }));
    expect(fetched.topics[0]?.partitions[0]).toMatchObject({ committedOffset: -1, errorCode: 0 });
    // The old topic's deletion is heard of late: what is the new one's stays.
    host.call(commit("g", "", 1, 7, { version: 10, topicId: newId }));
    host.tell({ kind: "topicsDeleted", topics: [{ name: "orders", topicId }] });
    const all = host.call(fetch("g"));
    expect(all.topics[0]?.partitions.map((p) => p.partitionIndex)).toEqual([1]);
  });
});

describe("commits", () => {
  test("of no metadata read as empty", () => {
    const host = withTopic();
    host.call(commit("g", "orders", 0, 5));
    const fetched = host.call(fetch("g", { topics: { orders: [0, 1, 9] } }));
    expect(fetched.topics[0]?.partitions).toEqual([
      {
        partitionIndex: 0,
        committedOffset: 5,
        committedLeaderEpoch: -1,
        metadata: "",
        errorCode: 0,
      },
      {
        partitionIndex: 1,
        committedOffset: -1,
        committedLeaderEpoch: -1,
        metadata: "",
        errorCode: 0,
      },
      {
        partitionIndex: 9,
        committedOffset: -1,
        committedLeaderEpoch: -1,
        metadata: "",
        errorCode: 0,
      },
    ]);
  });

  test("a retention beyond all time is as good as none", () => {
    const host = withTopic();
    const retentionTimeMs = Number.MAX_SAFE_INTEGER;
    const answer = host.call(commit("g", "orders", 0, 5, { version: 3, retentionTimeMs }));
    expect(answer.topics[0]?.partitions[0]?.errorCode).toBe(ErrorCode.NONE);
  });

  test("of versions 2 to 4 say how long they are kept", () => {
    const host = withTopic();
    host.call(commit("g", "orders", 0, 5, { version: 3, retentionTimeMs: 50_000 }));
    host.call(commit("g", "orders", 1, 5));
    host.crash();
    host.pass(600_000);
    const fetched = host.call(fetch("g"));
    expect(fetched.topics[0]?.partitions.map((p) => p.partitionIndex)).toEqual([1]);
  });

  test("keep a member alive", () => {
    const host = withTopic();
    const { memberId } = host.call(join("g"));
    host.call(sync("g", memberId, 1));
    for (let round = 0; round < 5; round++) {
      host.pass(6_000);
      const reply = host.call(commit("g", "orders", 0, round, { memberId, generationId: 1 }));
      expect(reply.topics[0]?.partitions[0]?.errorCode).toBe(0);
    }
    host.pass(10_000);
    const late = host.call(commit("g", "orders", 0, 9, { memberId, generationId: 1 }));
    expect(late.topics[0]?.partitions[0]?.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  test("of transactions know their member from version 3", () => {
    const host = withTopic();
    const { memberId } = host.call(join("g"));
    host.call(sync("g", memberId, 1));
    const code = (options: object): number | undefined =>
      host.call(txnCommit("g", 7, "orders", 0, 5, options)).topics[0]?.partitions[0]?.errorCode;
    expect(code({ memberId, generationId: 1 })).toBe(0);
    expect(code({ memberId, generationId: 2 })).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(code({ memberId: "x", generationId: 1 })).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(code({ version: 2 })).toBe(0);
    const other = host.call(txnCommit("h", 7, "orders", 0, 5, { memberId, generationId: 1 }));
    expect(other.topics[0]?.partitions[0]?.errorCode).toBe(ErrorCode.ILLEGAL_GENERATION);
  });

  test("in two transactions at once are unstable until both are over", () => {
    const host = withTopic();
    host.call(txnCommit("g", 1, "orders", 0, 5));
    host.call(txnCommit("g", 2, "orders", 0, 6));
    const stable = (): unknown =>
      host.call(fetch("g", { topics: { orders: [0] }, requireStable: true })).topics[0]
        ?.partitions[0];
    expect(stable()).toMatchObject({ errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT });
    host.endTransaction(2, true);
    expect(stable()).toMatchObject({ errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT });
    expect(
      host.call(fetch("g", { topics: { orders: [0] } })).topics[0]?.partitions[0],
    ).toMatchObject({ committedOffset: 6 });
    host.endTransaction(1, true);
    // The later commit of the two counts, whichever ended last.
    expect(stable()).toMatchObject({ committedOffset: 6, errorCode: 0 });
    host.shard.checkInvariants();
  });

  test("that are pending keep a group, and come back after a crash", () => {
    const host = withTopic();
    host.call(txnCommit("g", 1, "orders", 0, 5));
    host.crash();
    expect(host.call(fetch("g")).topics).toEqual([]);
    host.endTransaction(1, true);
    expect(host.call(fetch("g")).topics[0]?.partitions[0]?.committedOffset).toBe(5);
    host.call({ kind: "deleteGroup", groupId: "g" });
    expect(host.shard.groupCount).toBe(0);
    host.call(txnCommit("g", 1, "orders", 0, 5));
    host.endTransaction(1, false);
    expect(host.shard.groupCount).toBe(0);
  });
});

test("expiry looks at a shard of many groups a few at a time", () => {
  const host = withTopic();
  for (let at = 0; at < 1_000; at++) host.call(commit(`g${at}`, "orders", 0, 1));
  let steps = 0;
  let most = 0;
  host.watch = ({ writes }) => {
    steps++;
    most = Math.max(most, writes.length);
  };
  host.pass(host.context.settings.offsetsRetentionMs + 600_000);
  expect(host.shard.groupCount).toBe(0);
  expect(host.shard.offsetCount).toBe(0);
  expect(most).toBeLessThanOrEqual(200);
  expect(steps).toBeGreaterThan(5);
}, 60_000);
