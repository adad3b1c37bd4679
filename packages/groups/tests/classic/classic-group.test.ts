import { describe, expect, test } from "bun:test";
import { encodeConsumerSubscription } from "@mantou/protocol";
import { ClassicGroup } from "../../src/classic/classic-group.ts";
import { ClassicMember } from "../../src/classic/classic-member.ts";

const NO_BYTES = new Uint8Array(0);

function member(memberId: string, names: readonly string[], instance: string | null = null) {
  return new ClassicMember({
    memberId,
    groupInstanceId: instance,
    clientId: "c",
    clientHost: "/h",
    rebalanceTimeoutMs: 1_000 * memberId.length,
    sessionTimeoutMs: 10_000,
    protocols: names.map((name) => ({ name, metadata: NO_BYTES })),
    assignment: NO_BYTES,
  });
}

function groupOf(...members: readonly ClassicMember[]): ClassicGroup {
  const group = new ClassicGroup("g", 0);
  for (const one of members) group.add(one, "consumer");
  return group;
}

describe("the choice of the protocol", () => {
  test("is what most prefer of what all know", () => {
    const group = groupOf(
      member("a", ["sticky", "range"]),
      member("b", ["range", "sticky"]),
      member("c", ["range", "sticky"]),
    );
    expect(group.selectProtocol()).toBe("range");
    group.add(member("d", ["fancy", "sticky"]), "consumer");
    expect(group.selectProtocol()).toBe("sticky");
  });

  test("among equals is the first member's", () => {
    const group = groupOf(member("a", ["x", "y"]), member("b", ["y", "x"]));
    expect(group.selectProtocol()).toBe("x");
  });

  test("needs one that all know", () => {
    const group = groupOf(member("a", ["x", "y"]), member("b", ["y", "z"]));
    group.transitionTo("PreparingRebalance", 0);
    const supports = (names: string[]): boolean =>
      group.supports(
        "consumer",
        names.map((name) => ({ name, metadata: NO_BYTES })),
      );
    expect([supports(["y"]), supports(["x", "z"]), supports(["z", "y"]), supports([])]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(group.supports("connect", [{ name: "y", metadata: NO_BYTES }])).toBe(false);
  });
});

describe("members", () => {
  test("a leader that goes is followed by the oldest", () => {
    const group = groupOf(member("a", ["x"]), member("b", ["x"]), member("c", ["x"]));
    const leader = group.members.get("a");
    if (leader !== undefined) group.remove(leader);
    expect(group.leaderId).toBe("b");
  });

  test("a leader that has not joined is replaced by one who has", () => {
    const group = groupOf(member("a", ["x"]), member("b", ["x"]), member("c", ["x"]));
    expect(group.electLeader()).toBe(false);
    const [, b, c] = [...group.members.values()];
    if (b === undefined || c === undefined) throw new Error("no members");
    group.setJoin(c, { ticket: 1, version: 9 });
    expect([group.electLeader(), group.leaderId]).toEqual([true, "c"]);
    group.setJoin(b, { ticket: 2, version: 9 });
    expect([group.electLeader(), group.leaderId, group.joiningCount]).toEqual([true, "c", 2]);
  });

  test("a static member's place is taken over whole", () => {
    const old = member("old", ["x"], "i");
    const group = groupOf(old, member("b", ["x"]));
    group.pendingSync.add("old");
    const next = member("next", ["x"], "i");
    group.replace(old, next);
    expect([group.leaderId, group.memberIdOf("i"), group.members.size]).toEqual([
      "next",
      "next",
      2,
    ]);
    expect([...group.pendingSync]).toEqual(["next"]);
  });

  test("the longest rebalance timeout counts", () => {
    expect(groupOf(member("a", ["x"]), member("bbb", ["x"])).rebalanceTimeoutMs).toBe(3_000);
    expect(groupOf().rebalanceTimeoutMs).toBe(0);
  });

  test("bytes are counted as members come, change and go", () => {
    const a = member("a", ["x"]);
    const group = groupOf(a);
    const before = group.metadataBytes;
    group.setProtocols(a, [{ name: "x", metadata: new Uint8Array(100) }]);
    expect(group.metadataBytes).toBe(before + 100);
    group.remove(a);
    expect(group.metadataBytes).toBe(0);
    expect(group.leaderId).toBeNull();
  });
});

test("states follow each other as the table says", () => {
  const group = groupOf(member("a", ["x"]));
  expect(() => group.transitionTo("Stable", 0)).toThrow("from Empty to Stable");
  group.transitionTo("PreparingRebalance", 1);
  expect(() => group.transitionTo("PreparingRebalance", 1)).toThrow();
  group.beginGeneration(2);
  expect([group.state, group.stateBefore, group.generationId]).toEqual([
    "CompletingRebalance",
    "PreparingRebalance",
    1,
  ]);
  group.transitionTo("Stable", 3);
  expect(group.stateSinceMs).toBe(3);
});

test("the generation after the last is the first", () => {
  const group = groupOf(member("a", ["x"]));
  group.generationId = 0x7fff_ffff;
  group.transitionTo("PreparingRebalance", 1);
  group.beginGeneration(2);
  expect(group.generationId).toBe(1);
});

test("topics are read by the part that all versions have", () => {
  const subscribed = (metadata: Uint8Array): boolean[] => {
    const one = member("a", ["x"]);
    one.protocols = [{ name: "x", metadata }];
    const group = groupOf(one);
    group.transitionTo("PreparingRebalance", 1);
    group.beginGeneration(2);
    return [group.isSubscribed("orders"), group.isSubscribed("other"), group.knowsTopics];
  };
  const whole = encodeConsumerSubscription({ topics: ["orders"], ownedPartitions: [] }, 1);
  expect(subscribed(whole)).toEqual([true, false, true]);
  // The owned partitions are cut off: the topics are still there.
  expect(subscribed(whole.subarray(0, whole.length - 2))).toEqual([true, false, true]);
  expect(subscribed(whole.subarray(0, 9))).toEqual([true, true, false]);
  expect(subscribed(NO_BYTES)).toEqual([true, true, false]);
});

describe("the topics of a generation", () => {
  const subscribed = (memberId: string, topics: readonly string[] | null): ClassicMember =>
    new ClassicMember({
      ...member(memberId, []),
      protocols: [
        {
          name: "range",
          metadata:
            topics === null
              ? new Uint8Array([1])
              : encodeConsumerSubscription({ topics: [...topics] }, 0),
        },
      ],
    });

  test("are those of all members, whoever says the same as the one before", () => {
    const group = groupOf(
      subscribed("a", ["x"]),
      subscribed("b", ["x"]),
      subscribed("c", ["y", "x"]),
      subscribed("d", ["x"]),
      subscribed("e", ["z"]),
      subscribed("f", ["z"]),
    );
    group.transitionTo("PreparingRebalance", 0);
    group.beginGeneration(0);
    expect(["x", "y", "z", "w"].map((topic) => group.isSubscribed(topic))).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  test("are unknown where one member's cannot be read", () => {
    const group = groupOf(subscribed("a", ["x"]), subscribed("b", ["x"]), subscribed("c", null));
    group.transitionTo("PreparingRebalance", 0);
    group.beginGeneration(0);
    expect([group.knowsTopics, group.isSubscribed("w")]).toEqual([false, true]);
  });
});
