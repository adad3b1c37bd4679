import { heapStats } from "bun:jsc";
import { GroupShard } from "../src/index.ts";
import { LargeGroup } from "../tests/large-group.ts";
import { ShardHost, commit, heartbeat, join, sync } from "../tests/shard-host.ts";

/**
 * What groups cost the coordinator's machine alone, without driver, log and network:
 * `bun packages/groups/bench/groups.ts`. Times are this machine's; compare runs, not machines.
 */

const say = (what: string, value: string): void => console.log(`${what.padEnd(56)} ${value}`);

function nanosecondsEach(times: number, act: (at: number) => void): number {
  for (let at = 0; at < Math.min(times, 10_000); at++) act(at);
  const start = Bun.nanoseconds();
  for (let at = 0; at < times; at++) act(at);
  return (Bun.nanoseconds() - start) / times;
}

function heapBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize + heapStats().extraMemorySize;
}

function heartbeats(): void {
  const { host, memberIds, generation } = new LargeGroup("g", 1_000);
  const commands = memberIds.map((memberId) => heartbeat("g", memberId, generation));
  const moment = host.moment;
  const each = nanosecondsEach(1_000_000, (at) => {
    const command = commands[at % commands.length];
    if (command !== undefined) host.shard.step(1, command, moment);
  });
  say("heartbeat in a group of 1,000 members", `${each.toFixed(0)} ns`);
}

function commits(): void {
  const { host, memberIds, generation } = new LargeGroup("g", 1_000);
  const commands = memberIds.map((memberId, at) =>
    commit("g", "orders", at, 42, { memberId, generationId: generation }),
  );
  const moment = host.moment;
  const each = nanosecondsEach(300_000, (at) => {
    const command = commands[at % commands.length];
    if (command !== undefined) host.shard.step(1, command, moment);
  });
  say("commit of one offset, its record made", `${each.toFixed(0)} ns`);
}

function rounds(): void {
  const group = new LargeGroup("g", 1_000);
  const times: number[] = [];
  for (let round = 0; round < 20; round++) {
    const start = Bun.nanoseconds();
    group.rebalance();
    times.push((Bun.nanoseconds() - start) / 1e6);
  }
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1] ?? 0;
  say("round of 1,000 members over 1,000 partitions (all)", `${median.toFixed(1)} ms`);
}

function manyGroups(): void {
  const before = heapBytes();
  const host = new ShardHost();
  const start = Bun.nanoseconds();
  for (let at = 0; at < 10_000; at++) {
    const { memberId } = host.call(join(`group-${at}`));
    host.call(sync(`group-${at}`, memberId, 1, { assignments: { [memberId]: "x" } }));
  }
  const ms = (Bun.nanoseconds() - start) / 1e6;
  say("10,000 groups of one member, from nothing to Stable", `${ms.toFixed(0)} ms`);
  const log = [...host.log];
  host.replies.clear();
  const shard = new GroupShard(host.context);
  const loadStart = Bun.nanoseconds();
  for (const { record, batch } of log) if (record !== null) shard.replay(record, batch);
  shard.loaded(host.moment);
  say("loading them", `${((Bun.nanoseconds() - loadStart) / 1e6).toFixed(0)} ms`);
  say("heap with log and both shards", `${((heapBytes() - before) / 1e6).toFixed(1)} MB`);
}

const BATCH = { baseOffset: 0, producerId: -1, producerEpoch: -1, isTransactional: false };

/** Heap that stays with what `make` gives, by its count. */
function sayMemory(what: string, count: number, make: () => unknown): void {
  const before = heapBytes();
  const kept = make();
  const each = (heapBytes() - before) / count;
  say(what, `${each.toFixed(0)} bytes${kept === undefined ? "?" : ""}`);
}

function memoryOfGroups(): void {
  const host = new ShardHost();
  for (let at = 0; at < 10_000; at++) {
    const { memberId } = host.call(join(`group-${at}`));
    host.call(sync(`group-${at}`, memberId, 1, { assignments: { [memberId]: "x" } }));
  }
  sayMemory("memory of a group with one member", 10_000, () => {
    const shard = new GroupShard(host.context);
    for (const { record } of host.log) if (record !== null) shard.replay(record, BATCH);
    return shard;
  });
}

function memoryOfMembers(): void {
  const { host } = new LargeGroup("g", 1_000);
  const record = host.log.at(-1)?.record;
  if (record === null || record === undefined) throw new Error("no record");
  sayMemory("memory of a member of a large group", 10_000, () => {
    const shards = Array.from({ length: 10 }, () => new GroupShard(host.context));
    for (const shard of shards) shard.replay(record, BATCH);
    return shards;
  });
}

function memoryOfOffsets(): void {
  const host = new ShardHost();
  host.topics.create("orders", 100_000);
  sayMemory("memory of a committed offset", 100_000, () => {
    for (let at = 0; at < 100_000; at++) {
      host.shard.step(null, commit("g", "orders", at, at), host.moment);
    }
    return host;
  });
}

heartbeats();
commits();
rounds();
manyGroups();
memoryOfGroups();
memoryOfMembers();
memoryOfOffsets();
