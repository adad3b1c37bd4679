import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Uuid } from "@mantou/base";
import { Client, ClientError, Connection } from "@mantou/client";
import {
  type Api,
  ErrorCode,
  consumerGroupDescribeApi,
  consumerGroupHeartbeatApi,
  deleteGroupsApi,
  describeGroupsApi,
  findCoordinatorApi,
  heartbeatApi,
  joinGroupApi,
  leaveGroupApi,
  listGroupsApi,
  offsetCommitApi,
  offsetDeleteApi,
  offsetFetchApi,
  syncGroupApi,
} from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../../processes/broker-process.ts";
import { comparable, differences } from "./compare-answers.ts";
import { type ApacheKafka, apacheKafkaUnavailable, startApacheKafka } from "./index.ts";

/** Members and administrators say the same to Apache Kafka and to ours, and are told the same. */
const unavailable = await apacheKafkaUnavailable();
const WAIT_MS_MAX = 60_000;

if (unavailable !== null) test.skip(`groups of ours and of Apache Kafka: ${unavailable}`, () => {});
else describe("groups of ours and of Apache Kafka", differentialTests);

/** Where we differ on purpose, or where it does not matter. */
const deviations: readonly (readonly [api: string, path: RegExp, why: string])[] = [
  ["ConsumerGroupHeartbeat", /memberEpoch$/, "Kafka begins to count at another number"],
  ["ConsumerGroupDescribe", /Epoch$/, "Kafka begins to count at another number"],
  ["ConsumerGroupDescribe", /subscribedTopicRegex$/, "without a pattern: empty there, null here"],
];

/** One broker, and what it has told so far. */
interface Side {
  readonly port: number;
  readonly client: Client;
  connection: Connection;
  topicId: Uuid;
  memberId: string;
  generationId: number;
  memberEpoch: number;
}

type Make = object | ((side: Side) => object);
const isFunction = (make: Make): make is (side: Side) => object => typeof make === "function";

function differentialTests(): void {
  const folder = temporaryFolder();
  let kafka: ApacheKafka;
  let broker: BrokerProcess;
  let sides: readonly [apache: Side, ours: Side];
  let found: string[] = [];

  beforeAll(async () => {
    kafka = await startApacheKafka();
    broker = await BrokerProcess.start({
      dataDirectory: folder.path,
      environment: { MANTOU_GROUP_INITIAL_REBALANCE_DELAY_MS: "0" },
    });
    sides = [await newSide(kafka.port), await newSide(broker.port)];
  }, 120_000);

  afterAll(async () => {
    for (const side of sides ?? []) {
      side.connection.close();
      side.client.abort();
    }
    await broker?.stop();
    await kafka?.stop({ kill: true });
    folder[Symbol.dispose]();
  }, 60_000);

  /** Asks both, notes where they differ, and gives each its own answer to remember. */
  async function both<Request, Response, Input, Output>(
    label: string,
    api: Api<Request, Response, Input, Output>,
    version: number,
    make: Make,
    remember: (side: Side, response: Response) => void = () => {},
  ): Promise<void> {
    const answers: unknown[] = [];
    for (const side of sides) {
      const request = isFunction(make) ? make(side) : make;
      const response = await ask(side, api, version, request as Input);
      if (response !== "closed") remember(side, response);
      answers.push(comparable(response));
    }
    for (const [path, apache, ours] of differences(answers[0], answers[1])) {
      if (deviations.some(([name, where]) => name === api.name && where.test(path))) continue;
      const values = `Apache ${JSON.stringify(apache)}, ours ${JSON.stringify(ours)}`;
      found.push(`${api.name} v${version}, ${label}: ${path}: ${values}`);
    }
  }

  const story = (name: string, tell: () => Promise<void>): void =>
    test(
      name,
      async () => {
        found = [];
        await tell();
        expect(found).toEqual([]);
      },
      WAIT_MS_MAX,
    );

  story("who coordinates", async () => {
    for (let version = 0; version <= 6; version += 1) {
      const keys = (...names: string[]): object =>
        version < 4 ? { key: names[0] } : { coordinatorKeys: names };
      await both("groups", findCoordinatorApi, version, keys("a", "b"));
      await both("no name", findCoordinatorApi, version, keys(""));
      if (version === 0) continue;
      for (const keyType of [1, 3]) {
        const request = { ...keys("a"), keyType };
        await both(`keys of type ${keyType}`, findCoordinatorApi, version, request);
      }
    }
  });

  const joining = (version: number, groupId: string, more: object = {}): object => ({
    ...{ groupId, sessionTimeoutMs: 30_000, memberId: "", protocolType: "consumer" },
    ...(version >= 1 ? { rebalanceTimeoutMs: 30_000 } : {}),
    protocols: [{ name: "range", metadata: subscription("t") }],
    ...more,
  });

  story("joins that are refused", async () => {
    for (let version = 0; version <= 9; version += 1) {
      const say = (label: string, make: Make): Promise<void> =>
        both(label, joinGroupApi, version, make);
      await say("no group id", joining(version, ""));
      await say("a short session", joining(version, "refused", { sessionTimeoutMs: 5 }));
      await say("a long session", joining(version, "refused", { sessionTimeoutMs: 0x7fff_ffff }));
      await say("a member of nothing", joining(version, "refused", { memberId: "nobody" }));
      await say("no protocols", joining(version, "refused-p", { protocols: [] }));
      await say("no protocol type", joining(version, "refused-t", { protocolType: "" }));
    }
  });

  const remember = (side: Side, joined: { memberId: string; generationId: number }): void => {
    side.memberId = joined.memberId;
    side.generationId = joined.generationId;
  };

  story("the life of a member, version by version", async () => {
    for (let version = 0; version <= 9; version += 1) {
      const groupId = `life-${version}`;
      const at = (highest: number): number => Math.min(version, highest);
      await both("first join", joinGroupApi, version, joining(version, groupId), remember);
      if (version >= 4) {
        const again: Make = ({ memberId }) => joining(version, groupId, { memberId });
        await both("join with the id", joinGroupApi, version, again, remember);
      }
      const me = ({ memberId, generationId }: Side): object => ({
        ...{ groupId, memberId, generationId },
      });
      const beat = at(4);
      await both("a beat before the sync", heartbeatApi, beat, me);
      await both("a commit before the sync", offsetCommitApi, Math.max(2, version), (side) =>
        committing(groupId, 0, side, { member: side, version: Math.max(2, version) }),
      );
      const syncing = (side: Side): object => ({
        ...me(side),
        assignments: [{ memberId: side.memberId, assignment: Uint8Array.of(1, 2) }],
      });
      const named = { protocolType: "consumer", protocolName: "range" };
      if (version >= 5) {
        const other = { protocolType: "connect", protocolName: "range" };
        const make: Make = (side) => ({ ...syncing(side), ...other });
        await both("a sync of another type", syncGroupApi, at(5), make);
      }
      await both("sync", syncGroupApi, at(5), (side) => ({
        ...syncing(side),
        ...(version >= 5 ? named : {}),
      }));
      await both("a beat", heartbeatApi, beat, me);
      await both("a beat of another generation", heartbeatApi, beat, (side) => ({
        ...me(side),
        generationId: side.generationId + 1,
      }));
      await both("a beat of another", heartbeatApi, beat, {
        groupId,
        memberId: "x",
        generationId: 1,
      });
      await both("a beat in no group", heartbeatApi, beat, {
        ...{ groupId: "none", memberId: "x", generationId: 1 },
      });
      await both("described", describeGroupsApi, at(6), { groups: [groupId, "none"] });
      await both("another protocol", joinGroupApi, version, (side) =>
        joining(version, groupId, { memberId: side.memberId, protocolType: "connect" }),
      );
      await both("leave", leaveGroupApi, at(5), ({ memberId }) =>
        version < 3 ? { groupId, memberId } : { groupId, members: [{ memberId }] },
      );
      await both("leave again", leaveGroupApi, at(5), ({ memberId }) =>
        version < 3
          ? { groupId, memberId }
          : { groupId, members: [{ memberId }, { memberId: "x" }] },
      );
      await both("described when empty", describeGroupsApi, at(6), { groups: [groupId] });
    }
  });

  story("static members", async () => {
    const groupInstanceId = "one";
    const as = (more: object = {}) => joining(9, "static", { groupInstanceId, ...more });
    await both("join", joinGroupApi, 9, as(), remember);
    const me = ({ memberId, generationId }: Side): object => ({
      ...{ groupId: "static", memberId, generationId, groupInstanceId },
    });
    await both("sync", syncGroupApi, 5, (side) => ({
      ...me(side),
      ...{ protocolType: "consumer", protocolName: "range" },
      assignments: [{ memberId: side.memberId, assignment: Uint8Array.of(1) }],
    }));
    const first = sides.map(({ memberId }) => memberId);
    await both("the same again", joinGroupApi, 9, as(), remember);
    await both("the fenced one", heartbeatApi, 4, (side) => ({
      ...{ groupId: "static", generationId: side.generationId, groupInstanceId },
      memberId: first[sides.indexOf(side)] ?? "",
    }));
    await both("a beat", heartbeatApi, 4, me);
    await both("described", describeGroupsApi, 6, { groups: ["static"] });
    await both("an unknown instance", heartbeatApi, 4, (side) => ({
      ...me(side),
      groupInstanceId: "two",
    }));
    await both("leaves by name", leaveGroupApi, 5, {
      groupId: "static",
      members: [
        { memberId: "", groupInstanceId: "two" },
        { memberId: "", groupInstanceId },
      ],
    });
  });

  story("offsets", async () => {
    for (let version = 2; version <= 10; version += 1) {
      const groupId = `offsets-${version}`;
      const say = (label: string, more: CommitOptions): Promise<void> =>
        both(label, offsetCommitApi, version, (side) =>
          committing(groupId, 5, side, { ...more, version }),
        );
      await say("of no member", {});
      await say("a long text", { metadata: "x".repeat(5000) });
      await say("no text", { metadata: null });
      await say("an unknown partition", { partition: 9 });
      await say("an unknown topic", { topic: "nope" });
      await say("of an unknown member", { member: { memberId: "x", generationId: 1 } });
      await say("of a generation alone", { member: { memberId: "", generationId: 4 } });
      await say("a negative offset", { offset: -2 });
    }
    for (let version = 1; version <= 10; version += 1) {
      const groupId = "offsets-4";
      const asked =
        (name: string, ...partitionIndexes: number[]): Make =>
        (side: Side) => {
          const id = { topicId: name === "t" ? side.topicId : UNKNOWN_ID };
          const topics = [{ ...(version < 10 ? { name } : id), partitionIndexes }];
          return version < 8 ? { groupId, topics } : { groups: [{ groupId, topics }] };
        };
      await both("fetched", offsetFetchApi, version, asked("t", 0, 1, 9));
      await both("of an unknown topic", offsetFetchApi, version, asked("nope", 0));
      if (version >= 2) {
        const all =
          version < 8 ? { groupId, topics: null } : { groups: [{ groupId, topics: null }] };
        await both("all", offsetFetchApi, version, all);
        const none = { groupId: "none", topics: null };
        await both("of no group", offsetFetchApi, version, version < 8 ? none : { groups: [none] });
      }
      if (version >= 9) {
        const topics = null;
        const groups = [{ groupId, memberId: "x", memberEpoch: 3, topics }];
        await both("of an unknown member", offsetFetchApi, version, { groups });
      }
    }
  });

  story("what administrators see and delete", async () => {
    const commit: Make = (side) => committing("admin", 7, side, { version: 9 });
    await both("commit", offsetCommitApi, 9, commit);
    // A join that is refused leaves an empty group behind in Kafka, and nothing here.
    const kept = (_: Side, listed: { groups: { groupId: string }[] }): void => {
      listed.groups = listed.groups.filter(({ groupId }) => !groupId.startsWith("refused"));
    };
    for (let version = 0; version <= 5; version += 1) {
      await both("all", listGroupsApi, version, {}, kept);
      if (version < 4) continue;
      for (const state of ["Stable", "empty", "EMPTY", "Nonsense", ""]) {
        await both(`state ${state}`, listGroupsApi, version, { statesFilter: [state] }, kept);
      }
      if (version < 5) continue;
      for (const type of ["classic", "Consumer", "share", "Nonsense"]) {
        await both(`type ${type}`, listGroupsApi, version, { typesFilter: [type] }, kept);
      }
    }
    const asked = { groups: ["admin", "none", ""], includeAuthorizedOperations: true };
    for (let version = 3; version <= 6; version += 1) {
      await both("described with operations", describeGroupsApi, version, asked);
    }
    await both(
      "offsets of a group that is not there",
      offsetDeleteApi,
      0,
      removing("none", "t", 0),
    );
    await both("offsets that are not there", offsetDeleteApi, 0, removing("admin", "t", 1, 9));
    await both("of an unknown topic", offsetDeleteApi, 0, removing("admin", "nope", 0));
    await both("offsets", offsetDeleteApi, 0, removing("admin", "t", 0));
    for (let version = 0; version <= 2; version += 1) {
      await both("commit", offsetCommitApi, 9, commit);
      const groupsNames = ["admin", "none", ""];
      await both("deleted", deleteGroupsApi, version, { groupsNames });
      await both("deleted again", deleteGroupsApi, version, { groupsNames: ["admin"] });
    }
  });

  const beating = (groupId: string, memberEpoch: number, more: object = {}): object => ({
    ...{ groupId, memberId: MEMBER_ID, memberEpoch, ...more },
  });
  const first = {
    ...{ rebalanceTimeoutMs: 30_000, subscribedTopicNames: ["t"], topicPartitions: [] },
  };

  story("beats of the consumer protocol that are refused", async () => {
    for (const version of [0, 1]) {
      const say = (label: string, request: object): Promise<void> =>
        both(label, consumerGroupHeartbeatApi, version, request);
      await say("no group id", beating("", 0, first));
      await say("no member id", { ...beating("c", 1), memberId: "" });
      await say("no subscription", beating("c", 0, { ...first, subscribedTopicNames: null }));
      await say("no timeout", beating("c", 0, { ...first, rebalanceTimeoutMs: -1 }));
      await say("partitions at the first", {
        ...beating("c", 0, first),
        topicPartitions: [{ topicId: UNKNOWN_ID, partitions: [0] }],
      });
      await say("an unknown assignor", beating("c", 0, { ...first, serverAssignor: "nope" }));
      await say("an empty instance", beating("c", 0, { ...first, instanceId: "" }));
      await say("a group that is not there", beating("c", 5));
      await say("leaves no group", beating("c", -1));
      await say("a wrong epoch", beating("c", -7, first));
      await say("no static member", beating("c", -2));
      if (version >= 1) {
        const subscribedTopicNames = null;
        const pattern = { ...first, subscribedTopicNames, subscribedTopicRegex: "(" };
        await say("a bad pattern", beating("c", 0, pattern));
      }
    }
  });

  story("the life of a consumer", async () => {
    const keep = (side: Side, { memberEpoch }: { memberEpoch: number }): void => {
      side.memberEpoch = memberEpoch;
    };
    for (const version of [0, 1]) {
      const groupId = `consumer-${version}`;
      const say = (label: string, make: Make): Promise<void> =>
        both(label, consumerGroupHeartbeatApi, version, make, keep);
      await say("joins", beating(groupId, 0, first));
      await say("owns", (side) =>
        beating(groupId, side.memberEpoch, {
          topicPartitions: [{ topicId: side.topicId, partitions: [0, 1] }],
        }),
      );
      const groupIds = [groupId, "none", ""];
      const asked = { groupIds, includeAuthorizedOperations: true };
      await both("described", consumerGroupDescribeApi, version, asked);
      await both("as a classic one", describeGroupsApi, 6, { groups: [groupId] });
      await both("as a classic one", describeGroupsApi, 5, { groups: [groupId] });
      for (const memberId of [MEMBER_ID, "x", ""]) {
        for (const generationId of [null, 0, 9, -1]) {
          const who = `${memberId === MEMBER_ID ? "it" : memberId}/${generationId ?? "its epoch"}`;
          for (const commitVersion of [8, 9]) {
            await both(`commit of ${who}`, offsetCommitApi, commitVersion, (side) =>
              committing(groupId, 3, side, {
                member: { memberId, generationId: generationId ?? side.memberEpoch },
                version: commitVersion,
              }),
            );
          }
        }
      }
      await both("a classic beat", heartbeatApi, 4, {
        ...{ groupId, memberId: MEMBER_ID, generationId: 1 },
      });
      await both("deleted while it lives", deleteGroupsApi, 2, { groupsNames: [groupId] });
      await both("offsets of its topic", offsetDeleteApi, 0, removing(groupId, "t", 0));
      await say("an epoch to come", beating(groupId, 99));
      await say("leaves", beating(groupId, -1));
      await both("described when empty", consumerGroupDescribeApi, version, asked);
      await both("deleted", deleteGroupsApi, 2, { groupsNames: [groupId] });
    }
  });
}

const UNKNOWN_ID = "AAAAAAAAAAAAAAAAAAAAAQ" as Uuid;
const MEMBER_ID = "AAAAAAAAAAAAAAAAAAAAAg";

/** A subscription of the embedded consumer protocol, version 0. */
function subscription(topic: string): Uint8Array {
  const name = new TextEncoder().encode(topic);
  const bytes = new Uint8Array(2 + 4 + 2 + name.length + 4);
  const view = new DataView(bytes.buffer);
  view.setInt32(2, 1);
  view.setInt16(6, name.length);
  bytes.set(name, 8);
  view.setInt32(8 + name.length, -1);
  return bytes;
}

interface CommitOptions {
  readonly version?: number;
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly metadata?: string | null;
  readonly member?: { readonly memberId: string; readonly generationId: number };
}

function committing(
  groupId: string,
  committedOffset: number,
  { topicId }: Side,
  options: CommitOptions,
): object {
  const { version = 9, topic = "t", partition = 0, member, metadata = "m" } = options;
  const id = { topicId: topic === "t" ? topicId : UNKNOWN_ID };
  return {
    ...{ groupId, memberId: member?.memberId ?? "" },
    generationIdOrMemberEpoch: member?.generationId ?? -1,
    topics: [
      {
        ...(version < 10 ? { name: topic } : id),
        partitions: [
          {
            ...{ partitionIndex: partition, committedMetadata: metadata },
            committedOffset: options.offset ?? committedOffset,
          },
        ],
      },
    ],
  };
}

const removing = (groupId: string, name: string, ...partitions: number[]): object => ({
  groupId,
  topics: [{ name, partitions: partitions.map((partitionIndex) => ({ partitionIndex })) }],
});

async function newSide(port: number): Promise<Side> {
  const client = await Client.connect({ brokers: `127.0.0.1:${port}` });
  const { topicId } = await client.admin.createTopic({ name: "t", partitions: 2 });
  await client.admin.listOffset("t", 1, "latest");
  const connection = await Connection.open({ host: "127.0.0.1", port });
  // The first who asks has the topics of coordinators made.
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  for (const keyType of [0, 1]) {
    for (;;) {
      const { errorCode } = await connection.send(findCoordinatorApi, 3, { key: "a", keyType });
      if (errorCode === ErrorCode.NONE) break;
      expect(performance.now()).toBeLessThan(deadlineMs);
      await Bun.sleep(20);
    }
  }
  for (;;) {
    const { errorCode } = await connection.send(listGroupsApi, 3, {});
    if (errorCode === ErrorCode.NONE) break;
    expect(performance.now()).toBeLessThan(deadlineMs);
    await Bun.sleep(20);
  }
  return { port, client, connection, topicId, memberId: "", generationId: -1, memberEpoch: -1 };
}

async function ask<Request, Response, Input, Output>(
  side: Side,
  api: Api<Request, Response, Input, Output>,
  version: number,
  request: Input,
): Promise<Response | "closed"> {
  if (!side.connection.isOpen) {
    side.connection = await Connection.open({ host: "127.0.0.1", port: side.port });
  }
  try {
    return await side.connection.send(api, version, request);
  } catch (error) {
    if (error instanceof ClientError && error.code === "CLOSED") return "closed";
    throw error;
  }
}
