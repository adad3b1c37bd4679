import { describe, expect, test } from "bun:test";
import type { GroupBounds } from "../src/index.ts";
import { DEFAULT_GROUP_BOUNDS, DEFAULT_GROUP_SETTINGS } from "../src/index.ts";
import { ErrorCode } from "@mantou/protocol";
import { ShardHost, commit, heartbeat, join, leave, sync } from "./shard-host.ts";

function bounded(bounds: Partial<GroupBounds>): ShardHost {
  const host = new ShardHost({ bounds: { ...DEFAULT_GROUP_BOUNDS, ...bounds } });
  host.topics.create("orders", 4);
  return host;
}

describe("bounds", () => {
  test("groups", () => {
    const host = bounded({ groupsMax: 2 });
    host.call(commit("one", "orders", 0, 1));
    host.call(join("two"));
    expect(host.call(join("three")).errorCode).toBe(ErrorCode.POLICY_VIOLATION);
    const refused = host.call(commit("three", "orders", 0, 1));
    expect(refused.topics[0]?.partitions[0]?.errorCode).toBe(ErrorCode.POLICY_VIOLATION);
    expect(host.call(commit("one", "orders", 1, 1)).topics[0]?.partitions[0]?.errorCode).toBe(0);
    host.call({ kind: "deleteGroup", groupId: "one" });
    expect(host.call(join("three")).errorCode).toBe(0);
  });

  test("ten thousand joins that never come back", () => {
    const host = bounded({ pendingMembersMax: 1_000 });
    host.call(join("other"));
    const full = [];
    for (let at = 0; at < 10_000; at++) full.push(host.call(join("g", { version: 9 })).errorCode);
    expect(full.filter((code) => code === ErrorCode.MEMBER_ID_REQUIRED).length).toBe(1_000);
    expect(full.at(-1)).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
    expect(host.timers.size).toBeLessThan(1_010);
    expect(host.call(heartbeat("other", "client-1", 1)).errorCode).toBe(0);
    host.pass(10_000);
    host.shard.checkInvariants();
    expect(host.shard.groupCount).toBe(1);
    expect(host.call(join("g", { version: 9 })).errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED);
  }, 60_000);

  test("ten thousand groups by one client each leave nothing behind", () => {
    const host = bounded({});
    for (let at = 0; at < 10_000; at++) host.call(join(`g${at}`, { version: 9 }));
    expect(host.shard.groupCount).toBe(10_000);
    host.pass(10_000);
    expect(host.shard.groupCount).toBe(0);
    expect(host.timers.size).toBe(1);
    expect(host.log.length).toBe(0);
  }, 60_000);

  test("what a member says of itself", () => {
    const host = bounded({ memberMetadataBytesMax: 1_000, groupMetadataBytesMax: 2_500 });
    const large = { metadata: new Uint8Array(1_000) };
    expect(host.call(join("g", large)).errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE);
    // Many empty protocols cost too.
    const protocols = Array.from({ length: 40 }, (_, at) => `p${at}`);
    const many = { protocols, metadata: new Uint8Array(0) };
    expect(host.call(join("g", many)).errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE);
    const fits = { metadata: new Uint8Array(900), rebalanceTimeoutMs: 5_000 };
    expect(host.call(join("g", fits)).errorCode).toBe(0);
    host.ask(join("g", fits));
    expect(host.call(join("g", fits)).errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
    host.shard.checkInvariants();
  });

  test("a division that does not fit into a record", () => {
    const host = bounded({ recordBytesMax: 2_000 });
    const { memberId } = host.call(join("g"));
    const follower = host.ask(join("g"));
    host.ask(join("g", { memberId }));
    const other = host.replyTo<"joinGroup">(follower)?.memberId ?? "";
    const waiting = host.ask(sync("g", other, 2));
    const given = { [memberId]: new Uint8Array(1_000), [other]: new Uint8Array(1_000) };
    const reply = host.call(sync("g", memberId, 2, { assignments: given }));
    expect(reply.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
    expect(host.replyTo<"syncGroup">(waiting)?.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
    expect(host.call(heartbeat("g", other, 2)).errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    host.shard.checkInvariants();
    for (const { record } of host.log) {
      expect(record?.value?.length ?? 0).toBeLessThanOrEqual(2_000);
    }
  });

  test("offsets", () => {
    const host = bounded({ offsetsMax: 2 });
    const commitOne = (partition: number, offset: number): number | undefined =>
      host.call(commit("g", "orders", partition, offset)).topics[0]?.partitions[0]?.errorCode;
    expect([commitOne(0, 1), commitOne(1, 1), commitOne(2, 1)]).toEqual([
      0,
      0,
      ErrorCode.POLICY_VIOLATION,
    ]);
    expect(commitOne(1, 2)).toBe(0);
    expect(host.shard.offsetCount).toBe(2);
  });

  test("a commit of many offsets is as many batches as it takes", () => {
    const host = bounded({ recordBytesMax: 20_000 });
    host.topics.create("wide", 100);
    const command = commit("g", "wide", 0, 1);
    const partitions = Array.from({ length: 100 }, (_, partitionIndex) => ({
      partitionIndex,
      committedOffset: 7,
      committedLeaderEpoch: -1,
      committedMetadata: "x".repeat(4_000),
    }));
    const [topic] = command.request.topics;
    if (topic === undefined) throw new Error("no topic");
    topic.partitions = partitions;
    const batches: number[] = [];
    host.watch = ({ writes }) => {
      for (const { records } of writes) {
        batches.push(
          records.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0),
        );
      }
    };
    const reply = host.call(command);
    expect(reply.topics[0]?.partitions.every(({ errorCode }) => errorCode === 0)).toBe(true);
    expect(host.log.length).toBe(100);
    expect(batches.length).toBeGreaterThanOrEqual(20);
    expect(Math.max(...batches)).toBeLessThanOrEqual(20_000);
  });
});

describe("bad input", () => {
  test("no group id", () => {
    const host = bounded({});
    expect(host.call(join("")).errorCode).toBe(ErrorCode.INVALID_GROUP_ID);
    expect(host.call(sync("", "a", 1)).errorCode).toBe(ErrorCode.INVALID_GROUP_ID);
    expect(host.call(heartbeat("", "a", 1)).errorCode).toBe(ErrorCode.INVALID_GROUP_ID);
    expect(host.call(leave("", [])).errorCode).toBe(ErrorCode.INVALID_GROUP_ID);
  });

  test("no protocols, or no type", () => {
    const host = bounded({});
    const inconsistent = ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
    expect(host.call(join("g", { protocols: [] })).errorCode).toBe(inconsistent);
    expect(host.call(join("g", { protocolType: "" })).errorCode).toBe(inconsistent);
    expect(host.shard.groupCount).toBe(0);
  });

  test("the same protocol twice counts once", () => {
    const host = bounded({});
    const { memberId } = host.call(join("g", { protocols: ["range", "range"] }));
    host.call(sync("g", memberId, 1, { assignments: {} }));
    expect(host.call(join("g", { protocols: ["other"] })).errorCode).toBe(
      ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    );
    expect(host.replyTo(host.ask(join("g")))).toBeUndefined();
    host.shard.checkInvariants();
  });

  test("a pending member that says it is static", () => {
    const host = bounded({});
    const { memberId } = host.call(join("g", { version: 9 }));
    const reply = host.call(join("g", { version: 9, memberId, instanceId: "i" }));
    expect(reply.errorCode).toBe(ErrorCode.INVALID_REQUEST);
    host.shard.checkInvariants();
  });

  test("a client's name of any length", () => {
    const host = bounded({});
    const { errorCode, memberId } = host.call(join("g", { clientId: "字".repeat(10_000) }));
    expect(errorCode).toBe(0);
    expect(Buffer.byteLength(memberId)).toBeLessThan(0x7fff);
    expect(host.call(sync("g", memberId, 1)).errorCode).toBe(0);
    host.crash();
    expect(host.call(heartbeat("g", memberId, 1)).errorCode).toBe(0);
  });

  test("ids that look like each other's timers", () => {
    const host = bounded({});
    host.call(join("a b", { clientId: "c" }));
    host.call(join("a", { clientId: "b c" }));
    const sessions = [...host.timers.keys()].filter((key) => key.startsWith("session"));
    expect(sessions.length).toBe(2);
  });

  test("answers of every version can be encoded", async () => {
    const { joinGroupApi, leaveGroupApi, syncGroupApi, Writer } = await import("@mantou/protocol");
    const writer = new Writer(1_024);
    for (let version = 0; version <= 9; version++) {
      const host = bounded({});
      const refused = host.call(join("", { version }));
      joinGroupApi.response.encode(writer.reset(), refused, version);
      let reply = host.call(join("g", { version }));
      if (reply.errorCode !== 0) {
        joinGroupApi.response.encode(writer.reset(), reply, version);
        reply = host.call(join("g", { version, memberId: reply.memberId }));
      }
      joinGroupApi.response.encode(writer.reset(), reply, version);
      const syncVersion = Math.min(version, 5);
      const synced = host.call(
        sync("g", reply.memberId, 1, {
          version: syncVersion,
          protocolType: "consumer",
          protocolName: "range",
        }),
      );
      expect(synced.errorCode).toBe(0);
      syncGroupApi.response.encode(writer.reset(), synced, syncVersion);
      const leaver = { memberId: reply.memberId, groupInstanceId: null };
      const left = host.call(leave("g", [leaver], Math.min(version, 5)));
      leaveGroupApi.response.encode(writer.reset(), left, Math.min(version, 5));
    }
  });

  test("the default bounds let the largest group through that the issue names", () => {
    expect(DEFAULT_GROUP_SETTINGS.bounds.groupsMax).toBeGreaterThanOrEqual(10_000);
  });
});
