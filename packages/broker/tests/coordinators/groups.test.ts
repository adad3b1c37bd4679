import { describe, expect, test } from "bun:test";
import { ZERO_UUID } from "@mantou/base";
import { ConfigResource } from "@mantou/catalog";
import { MemoryDisk, openPortableIo } from "@mantou/io";
import {
  ErrorCode,
  deleteGroupsApi,
  deleteTopicsApi,
  describeGroupsApi,
  encodeBatch,
  heartbeatApi,
  joinGroupApi,
  leaveGroupApi,
  listGroupsApi,
  metadataApi,
  offsetCommitApi,
  offsetDeleteApi,
  offsetFetchApi,
  produceApi,
} from "@mantou/protocol";
import { startInProcess } from "../in-process-broker.ts";
import {
  closing,
  commit,
  commitRequest,
  committed,
  createTopic,
  findGroup,
  join,
  protocols,
  readOffsets,
  settings,
  upTo,
  versionsOf,
} from "./group-requests.ts";

describe("classic groups over the wire", () => {
  test("every version of every request of a member", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    for (let version = 0; version <= 10; version += 1) {
      const groupId = `group-${version}`;
      await findGroup(connection.it, groupId);
      const member = await join(connection.it, groupId, version);
      const { memberId, generationId } = member;
      const alive = await connection.it.send(heartbeatApi, upTo(heartbeatApi, version), {
        groupId,
        generationId,
        memberId,
      });
      expect(alive.errorCode).toBe(ErrorCode.NONE);
      const ids = { groupId, members: [{ memberId }] };
      const left = await connection.it.send(
        leaveGroupApi,
        upTo(leaveGroupApi, version),
        version < 3 ? { groupId, memberId } : ids,
      );
      expect(left.errorCode).toBe(ErrorCode.NONE);
    }
    const listed = await connection.it.send(listGroupsApi, 5, {});
    const names = listed.groups.map((group) => group.groupId);
    expect(names.filter((name) => name.startsWith("group-")).length).toBeLessThanOrEqual(11);
  });

  test("commits and fetches at every version, names and ids", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    const topicId = await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    for (const version of versionsOf(offsetCommitApi)) {
      const partitions = [
        { partitionIndex: 0, committedOffset: 100 + version, committedMetadata: "m" },
        { partitionIndex: 9, committedOffset: 1, committedMetadata: null },
      ];
      const topic = version < 10 ? { name: "t" } : { topicId };
      const answer = await connection.it.send(offsetCommitApi, version, {
        groupId: "g",
        memberId: "",
        topics: [{ ...topic, partitions }],
      });
      expect(answer.topics[0]?.partitions).toEqual([
        { partitionIndex: 0, errorCode: ErrorCode.NONE },
        { partitionIndex: 9, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
      ]);
      expect(await committed(connection.it, "g", "t")).toBe(100 + version);
    }
    for (const version of versionsOf(offsetFetchApi)) {
      const topic = version < 10 ? { name: "t" } : { topicId };
      const topics = [{ ...topic, partitionIndexes: [0, 1] }];
      const answer = await connection.it.send(
        offsetFetchApi,
        version,
        version < 8
          ? { groupId: "g", topics: [{ name: "t", partitionIndexes: [0, 1] }] }
          : { groups: [{ groupId: "g", topics }] },
      );
      const read = version < 8 ? answer : answer.groups[0];
      expect(read?.errorCode ?? 0).toBe(ErrorCode.NONE);
      expect(read?.topics[0]?.partitions).toMatchObject([
        { partitionIndex: 0, committedOffset: 110, metadata: "m", errorCode: 0 },
        { partitionIndex: 1, committedOffset: -1, metadata: "", errorCode: 0 },
      ]);
    }
  });

  test("null asks for all topics of many groups at once", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await createTopic(connection.it, "u");
    await findGroup(connection.it, "a");
    await commit(connection.it, "a", "t", 1);
    await commit(connection.it, "a", "u", 2);
    await commit(connection.it, "b", "u", 3);
    const groups = ["a", "b", "c"].map((groupId) => ({ groupId, topics: null }));
    const answer = await connection.it.send(offsetFetchApi, 8, { groups });
    const found = answer.groups.map(({ groupId, topics }) => [
      groupId,
      topics.map(({ name }) => name).sort(),
    ]);
    expect(found).toEqual([
      ["a", ["t", "u"]],
      ["b", ["u"]],
      ["c", []],
    ]);
  });

  test("administrators list, describe, delete offsets and groups", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    const member = await join(connection.it, "g");
    await commit(connection.it, "g", "t", 5, member);
    await commit(connection.it, "lone", "t", 6);
    for (const version of versionsOf(listGroupsApi)) {
      const { groups } = await connection.it.send(listGroupsApi, version, {});
      expect(groups.map(({ groupId }) => groupId).sort()).toEqual(["g", "lone"]);
    }
    const states = { statesFilter: ["stable"], typesFilter: ["Classic"] };
    const { groups: stable } = await connection.it.send(listGroupsApi, 5, states);
    expect(stable).toEqual([
      { groupId: "g", protocolType: "consumer", groupState: "Stable", groupType: "classic" },
    ]);
    for (const version of versionsOf(describeGroupsApi)) {
      const asked = { groups: ["g", "none"], includeAuthorizedOperations: version >= 3 };
      const { groups } = await connection.it.send(describeGroupsApi, version, asked);
      expect(groups).toMatchObject([
        { groupId: "g", errorCode: 0, groupState: "Stable", protocolData: "range" },
        { groupId: "none", errorCode: version < 6 ? 0 : ErrorCode.GROUP_ID_NOT_FOUND },
      ]);
      const [shown] = groups[0]?.members ?? [];
      expect(shown).toMatchObject({ memberId: member.memberId, clientHost: "/127.0.0.1" });
      expect(groups[0]?.authorizedOperations).toBe(version >= 3 ? 0xd48 : -0x8000_0000);
    }
    const remove = {
      groupId: "lone",
      topics: [{ name: "t", partitions: [{ partitionIndex: 0 }] }],
    };
    const removed = await connection.it.send(offsetDeleteApi, 0, remove);
    expect(removed).toMatchObject({ errorCode: 0, topics: [{ partitions: [{ errorCode: 0 }] }] });
    expect(await committed(connection.it, "lone", "t")).toBe(-1);
    for (const version of versionsOf(deleteGroupsApi)) {
      const groupsNames = ["g", "none", "g"];
      const { results } = await connection.it.send(deleteGroupsApi, version, { groupsNames });
      expect(results.map(({ groupId, errorCode }) => [groupId, errorCode])).toEqual([
        ["g", ErrorCode.NON_EMPTY_GROUP],
        ["none", ErrorCode.GROUP_ID_NOT_FOUND],
      ]);
    }
  });

  test("a group without a name has no members, but it has offsets", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await findGroup(connection.it, "");
    const beat = { groupId: "", generationId: 1, memberId: "m" };
    const { errorCode } = await connection.it.send(heartbeatApi, 4, beat);
    expect(errorCode).toBe(ErrorCode.INVALID_GROUP_ID);
    expect(await commit(connection.it, "", "t", 5)).toBe(ErrorCode.NONE);
    expect(await committed(connection.it, "", "t")).toBe(5);
  });

  test("before anybody looked for a coordinator there is none", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    const beat = { groupId: "g", generationId: 1, memberId: "m" };
    const { errorCode } = await connection.it.send(heartbeatApi, 4, beat);
    expect(errorCode).toBe(ErrorCode.NOT_COORDINATOR);
    expect((await connection.it.send(listGroupsApi, 5, {})).groups).toEqual([]);
  });

  test("two members: the second makes the first join again, which its heartbeat tells", async () => {
    await using broker = await startInProcess(settings);
    await using one = closing(await broker.connect());
    await using two = closing(await broker.connect());
    await findGroup(one.it, "g");
    const first = await join(one.it, "g", 3);
    const request = {
      groupId: "g",
      ...{ sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000, protocolType: "consumer" },
      protocols,
    };
    const joining = two.it.send(joinGroupApi, 3, { ...request, memberId: "" });
    const { memberId, generationId } = first;
    const beat = { groupId: "g", generationId, memberId };
    for (;;) {
      const { errorCode } = await one.it.send(heartbeatApi, 3, beat);
      if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) break;
      expect(errorCode).toBe(ErrorCode.NONE);
    }
    const again = await one.it.send(joinGroupApi, 3, { ...request, memberId });
    const second = await joining;
    expect([again.generationId, second.generationId]).toEqual([generationId + 1, generationId + 1]);
    expect(again.members.length + second.members.length).toBe(2);
  });
});

describe("what groups rest on", () => {
  test("the topic is internal, readable, and not for clients to write", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    expect(await commit(connection.it, "g", "t", 5)).toBe(ErrorCode.NONE);
    const asked = { topics: [{ name: "__consumer_offsets" }] };
    const { topics } = await connection.it.send(metadataApi, 12, asked);
    expect(topics[0]?.isInternal).toBe(true);
    expect(topics[0]?.partitions.length).toBe(50);
    const settingsOf = broker.broker.image.settingsOf(ConfigResource.TOPIC, "__consumer_offsets");
    expect(Object.fromEntries(settingsOf)).toEqual({
      "cleanup.policy": "compact",
      "compression.type": "producer",
      "segment.bytes": "104857600",
    });
    expect(await readOffsets(broker)).toBe(1);
    const records = encodeBatch([{ key: Uint8Array.of(1), value: Uint8Array.of(1) }]);
    const refused = await connection.it.send(produceApi, 9, {
      ...{ acks: -1, timeoutMs: 1000 },
      topicData: [{ name: "__consumer_offsets", partitionData: [{ index: 0, records }] }],
    });
    const code = refused.responses[0]?.partitionResponses[0]?.errorCode;
    expect(code).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION);
  });

  test("a restart keeps offsets and groups; their members go on", async () => {
    const disk = new MemoryDisk();
    const first = await startInProcess(settings, () => openPortableIo({ disk }));
    const connection = await first.connect();
    await createTopic(connection, "t");
    await findGroup(connection, "g");
    const member = await join(connection, "g");
    expect(await commit(connection, "g", "t", 42, member)).toBe(ErrorCode.NONE);
    connection.close();
    await first[Symbol.asyncDispose]();
    await using second = await startInProcess(settings, () => openPortableIo({ disk }));
    await using again = closing(await second.connect());
    const beat = { groupId: "g", ...member };
    for (;;) {
      const { errorCode } = await again.it.send(heartbeatApi, 4, beat);
      if (errorCode === ErrorCode.NONE) break;
      expect(errorCode).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
    }
    expect(await committed(again.it, "g", "t")).toBe(42);
    expect(await commit(again.it, "g", "t", 43, member)).toBe(ErrorCode.NONE);
  });

  test("a commit is answered when it is on disk, and what follows waits its turn", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    broker.io.disk.holdFlushes();
    const order: string[] = [];
    const note = (what: string) => () => void order.push(what);
    const request = commitRequest("g", "t", 5);
    const commits = connection.it.send(offsetCommitApi, 9, request).then(note("commit"));
    const lists = connection.it.send(metadataApi, 12, { topics: [] }).then(note("metadata"));
    await using other = closing(await broker.connect());
    await other.it.send(metadataApi, 12, { topics: [] });
    expect(order).toEqual([]);
    broker.io.disk.releaseFlushes();
    await Promise.all([commits, lists]);
    expect(order).toEqual(["commit", "metadata"]);
  });

  test("a failed disk refuses the commit; when the log is open again it works", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    expect(await commit(connection.it, "g", "t", 5)).toBe(ErrorCode.NONE);
    broker.io.disk.failWrites = true;
    expect(await commit(connection.it, "g", "t", 6)).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    broker.io.disk.failWrites = false;
    for (;;) {
      const errorCode = await commit(connection.it, "g", "t", 7);
      if (errorCode === ErrorCode.NONE) break;
      expect([ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]).toContain(
        errorCode as 14 | 16,
      );
    }
    expect(await committed(connection.it, "g", "t")).toBe(7);
  });

  test("leadership goes and comes under commits: none is lost, members go on", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await using other = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    const member = await join(connection.it, "g");
    const { driver } = broker.broker.groups;
    const partition = broker.broker.groups.partitionOf("g");
    const offsets = broker.broker.image.topicByName("__consumer_offsets");
    const logId = broker.broker.logOf(offsets?.topicId ?? ZERO_UUID, partition);
    if (logId === -1) throw new Error("the partition is not here");
    const passing = [
      ErrorCode.NOT_COORDINATOR,
      ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
      ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ] as number[];
    const state = { sent: 0, acknowledged: 0, isDone: false };
    const committing = async (): Promise<void> => {
      while (!state.isDone) {
        state.sent += 1;
        const errorCode = await commit(connection.it, "g", "t", state.sent, member);
        if (errorCode === ErrorCode.NONE) state.acknowledged = state.sent;
        else expect(passing).toContain(errorCode);
      }
    };
    const working = committing();
    for (let round = 0; round < 20; round += 1) {
      const goal = state.acknowledged + 5;
      driver.unload(partition);
      const beat = { groupId: "g", ...member };
      const { errorCode } = await other.it.send(heartbeatApi, 4, beat);
      expect(errorCode).toBe(ErrorCode.NOT_COORDINATOR);
      driver.lead(partition, logId);
      while (state.acknowledged < goal) await other.it.send(metadataApi, 12, { topics: [] });
    }
    state.isDone = true;
    await working;
    expect(await committed(other.it, "g", "t")).toBe(state.acknowledged);
    const { groups } = await other.it.send(describeGroupsApi, 6, { groups: ["g"] });
    expect(groups[0]?.groupState).toBe("Stable");
    driver.checkInvariants();
  });

  test("a full disk refuses commits, and nothing else of groups", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    const member = await join(connection.it, "g");
    broker.io.disk.resize(broker.io.disk.usedBytes + 1000);
    for (;;) {
      const errorCode = await commit(connection.it, "g", "t", 1, member);
      if (errorCode === ErrorCode.COORDINATOR_NOT_AVAILABLE) break;
      expect(errorCode).toBe(ErrorCode.NONE);
    }
    const beat = { groupId: "g", ...member };
    expect((await connection.it.send(heartbeatApi, 4, beat)).errorCode).toBe(ErrorCode.NONE);
    broker.io.disk.resize(2 ** 40);
    for (;;) {
      const errorCode = await commit(connection.it, "g", "t", 2, member);
      if (errorCode === ErrorCode.NONE) break;
      expect(errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    }
    expect(await committed(connection.it, "g", "t")).toBe(2);
  });

  test("what groups did is counted", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    const member = await join(connection.it, "g");
    await commit(connection.it, "g", "t", 1, member);
    await commit(connection.it, "lone", "t", 1);
    const { coordinators, groups } = await broker.broker.figures();
    const counted = { rebalances: 1, commits: 2, expirations: 0 };
    expect(groups).toEqual({ groups: 2, offsets: 2, ...counted });
    const [figures] = coordinators.filter(({ topic }) => topic === "__consumer_offsets");
    expect(figures).toMatchObject({ active: 2, loading: 0, waiting: 0 });
    expect(figures?.timers).toBeGreaterThan(0);
    expect(figures?.batches).toBe(3);
    const { commands } = figures as NonNullable<typeof figures>;
    expect(["syncGroup", "offsetCommit"].map((kind) => commands.get(kind))).toEqual([1, 2]);
  });

  test("members that wait do not hold up a stop", async () => {
    const broker = await startInProcess({ "group.initial.rebalance.delay.ms": "60000" });
    const connection = await broker.connect();
    await findGroup(connection, "g");
    const waiting = connection
      .send(joinGroupApi, 3, {
        groupId: "g",
        ...{ sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 60_000, memberId: "" },
        protocolType: "consumer",
        protocols,
      })
      .catch(() => "closed");
    await using other = closing(await broker.connect());
    for (;;) {
      const { groups } = await other.it.send(listGroupsApi, 5, {});
      if (groups.length === 1) break;
    }
    await broker[Symbol.asyncDispose]();
    expect(await waiting).toBe("closed");
    expect(broker.log.filter((line) => line.startsWith("fatal"))).toEqual([]);
  });

  test("offsets of a deleted topic are gone", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    expect(await commit(connection.it, "g", "t", 5)).toBe(ErrorCode.NONE);
    await connection.it.send(deleteTopicsApi, 5, { topicNames: ["t"], timeoutMs: 10_000 });
    await createTopic(connection.it, "t");
    expect(await committed(connection.it, "g", "t")).toBe(-1);
  });
});
