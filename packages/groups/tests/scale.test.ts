import { expect, test } from "bun:test";
import { LargeGroup } from "./large-group.ts";
import { ShardHost, heartbeat, join, sync } from "./shard-host.ts";

// No times are asserted here, only work: what a round or a heartbeat makes the driver do.

test("a group of a thousand members over a thousand partitions", () => {
  const group = new LargeGroup("g", 1_000);
  const { host } = group;
  host.shard.checkInvariants();
  expect(host.openCount).toBe(0);
  expect(host.log.length).toBe(1);
  let effects = 0;
  let writes = 0;
  host.watch = (step) => {
    effects += step.replies.length + step.timers.length;
    writes += step.writes.length;
  };
  group.rebalance();
  host.shard.checkInvariants();
  expect(host.openCount).toBe(0);
  expect(writes).toBe(1);
  // A join and a sync of each member are answered; timers are few.
  expect(effects).toBeLessThan(2_100);
  expect(host.log.at(-1)?.record?.value?.length ?? 0).toBeLessThan(1_000_000);

  effects = 0;
  writes = 0;
  for (let at = 0; at < 5_000; at++) expect(group.beat(at)).toBe(0);
  expect(effects).toBe(5_000);
  expect(writes).toBe(0);

  host.crash();
  host.shard.checkInvariants();
  expect(group.beat(999)).toBe(0);
}, 60_000);

test("a thousand members that come one by one and never back are gone with their sessions", () => {
  const host = new ShardHost({ initialRebalanceDelayMs: 3_000 });
  for (let at = 0; at < 1_000; at++) host.ask(join("g"));
  host.pass(3_000);
  host.pass(57_000);
  host.pass(300_000);
  host.shard.checkInvariants();
  expect(host.openCount).toBe(0);
  const described = host.call({ kind: "describeGroup", groupId: "g", version: 6 });
  expect(described.groupState).toBe("Empty");
}, 60_000);

test("ten thousand groups", () => {
  const host = new ShardHost();
  const memberIds: string[] = [];
  for (let at = 0; at < 10_000; at++) {
    const { memberId } = host.call(join(`g${at}`));
    host.call(sync(`g${at}`, memberId, 1, { assignments: { [memberId]: "x" } }));
    memberIds.push(memberId);
  }
  host.shard.checkInvariants();
  expect(host.shard.groupCount).toBe(10_000);
  expect(host.log.length).toBe(10_000);
  const beat = (at: number): number =>
    host.call(heartbeat(`g${at}`, memberIds[at] ?? "", 1)).errorCode;
  for (let at = 0; at < 10_000; at++) expect(beat(at)).toBe(0);
  const listed = host.call({ kind: "listGroups", statesFilter: ["stable"], typesFilter: [] });
  expect(listed.length).toBe(10_000);
  host.crash();
  host.shard.checkInvariants();
  expect(beat(9_999)).toBe(0);
}, 60_000);
