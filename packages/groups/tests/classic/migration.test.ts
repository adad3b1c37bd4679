import { expect, test } from "bun:test";
import { ErrorCode, encodeConsumerAssignment, encodeConsumerSubscription } from "@mantou/protocol";
import { ClassicGroup } from "../../src/classic/classic-group.ts";
import { ClassicMember } from "../../src/classic/classic-member.ts";
import {
  dissolveClassicGroup,
  foundClassicGroup,
  readClassicConsumers,
} from "../../src/classic/migration.ts";
import { checkClassicGroup } from "../../src/classic/invariants.ts";
import { Scope } from "../../src/scope.ts";
import { ShardHost } from "../shard-host.ts";

const metadata = encodeConsumerSubscription({ topics: ["orders"], rackId: "r" }, 3);
const assignment = encodeConsumerAssignment(
  { assignedPartitions: [{ topic: "orders", partitions: [0] }] },
  1,
);

const input = (memberId: string, said = metadata, given = assignment) => ({
  memberId,
  groupInstanceId: null,
  clientId: "c",
  clientHost: "/h",
  rebalanceTimeoutMs: 60_000,
  sessionTimeoutMs: 10_000,
  protocols: [{ name: "range", metadata: said }],
  assignment: given,
});

function scope(): Scope {
  const host = new ShardHost();
  const made = new Scope(host.context);
  made.now = host.moment;
  return made;
}

function founded(on: Scope, rebalances: boolean): ClassicGroup {
  const members = [input("a"), input("b")];
  const what = { groupId: "g", generationId: 7, protocolType: "consumer", protocolName: "range" };
  return foundClassicGroup(on, { ...what, leaderId: "b", members }, [], rebalances);
}

test("a founded group is stable, written, and its members have sessions", () => {
  const on = scope();
  const group = founded(on, false);
  expect([group.state, group.generationId, group.leaderId]).toEqual(["Stable", 7, "b"]);
  const effects = on.take();
  expect(effects.writes.length).toBe(1);
  expect(effects.timers.map(({ key }) => key.split(" ")[0])).toEqual(["session", "session"]);
  checkClassicGroup(group);
});

test("a founded group may begin with a round", () => {
  const on = scope();
  const group = founded(on, true);
  expect(group.state).toBe("PreparingRebalance");
  checkClassicGroup(group);
});

test("what members said and have is read", () => {
  const on = scope();
  const consumers = readClassicConsumers(founded(on, false));
  expect(consumers?.map(({ memberId }) => memberId)).toEqual(["a", "b"]);
  expect(consumers?.[0]?.subscription).toMatchObject({ topics: ["orders"], rackId: "r" });
  expect(consumers?.[0]?.assigned.assignedPartitions).toEqual([
    { topic: "orders", partitions: [0] },
  ]);
});

test("what cannot be read is not", () => {
  const bad = new Uint8Array([0, 1, 0]);
  for (const one of [input("a", bad), input("a", metadata, bad)]) {
    const group = new ClassicGroup("g", 0);
    group.add(new ClassicMember(one), "consumer");
    group.protocolName = "range";
    group.restore("Stable", 0);
    expect(readClassicConsumers(group)).toBeNull();
  }
  const foreign = new ClassicGroup("g", 0);
  foreign.add(new ClassicMember(input("a")), "connect");
  expect(readClassicConsumers(foreign)).toBeNull();
  expect(readClassicConsumers(new ClassicGroup("g", 0))).toEqual([]);
});

test("a dissolved group leaves no timer and nobody waiting", () => {
  const on = scope();
  const group = founded(on, true);
  on.take();
  for (const [ticket, member] of [...group.members.values()].entries()) {
    if (ticket === 0) group.setJoin(member, { ticket, version: 9 });
  }
  group.pendingMembers.add("p");
  const records = dissolveClassicGroup(on, group);
  expect(records.length).toBe(1);
  expect(records[0]?.value).toBeNull();
  const { replies, timers } = on.take();
  expect(replies.map(({ reply }) => reply)).toMatchObject([
    { errorCode: ErrorCode.REBALANCE_IN_PROGRESS, memberId: "a" },
  ]);
  expect(timers.every(({ kind }) => kind === "cancel")).toBe(true);
  expect(timers.length).toBe(4);
  expect(on.groups.has("g")).toBe(false);
});
