import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Uuid, ZERO_UUID } from "@mantou/base";
import { servedApis } from "@mantou/broker";
import { Connection } from "@mantou/client";
import {
  ErrorCode,
  Writer,
  apiVersionsApi,
  describeClusterApi,
  describeLogDirsApi,
  encodeBatch,
  encodeRequestHeader,
  fetchApi,
  findCoordinatorApi,
  joinGroupApi,
  metadataApi,
  produceApi,
  saslHandshakeApi,
} from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { freePorts } from "./apache-kafka/index.ts";
import { everyApiRequest } from "./every-api.ts";
import { closesOn, framed, openRaw, readAnswer, recordOf, requestBytes } from "./raw-requests.ts";
import { TrapBroker } from "./trap-broker.ts";

/**
 * The places in which implementations of the protocol go wrong, one by one, in raw frames against
 * a broker process. Those about records are in `traps-records.test.ts`.
 */
let trap: TrapBroker;

beforeAll(async () => {
  trap = await TrapBroker.start();
});

afterAll(() => trap?.stop());

describe("trap 1: ApiVersions is answered before versions are known", () => {
  test("an unknown version gets version 0, with the entry of ApiVersions alone", async () => {
    const raw = await openRaw(trap.port);
    const frame = new Uint8Array([0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0xde, 0xad]);
    const hex = Buffer.from(await raw.sendFrame(frame)).toString("hex");
    const { minVersion, maxVersion } = apiVersionsApi;
    const range = Buffer.from([0, minVersion, 0, maxVersion]).toString("hex");
    expect(hex).toBe(`00000007${"0023"}${"00000001"}${"0012"}${range}`);
    // The connection lives on: librdkafka asks again on it.
    const again = await raw.sendFrame(requestBytes(apiVersionsApi, 0, {}));
    expect(readAnswer(apiVersionsApi, 0, again).errorCode).toBe(ErrorCode.NONE);
    raw.close();
  });

  test("every version is answered with a header without tagged fields", async () => {
    const raw = await openRaw(trap.port);
    for (let version = 0; version <= apiVersionsApi.maxVersion; version += 1) {
      const software = { clientSoftwareName: "trap", clientSoftwareVersion: "1.0" };
      const answer = await raw.sendFrame(requestBytes(apiVersionsApi, version, software));
      // Right behind the correlation id comes the error code, 0.
      expect([...answer.subarray(0, 6)]).toEqual([0, 0, 0, 7, 0, 0]);
      const { apiKeys } = readAnswer(apiVersionsApi, version, answer);
      expect(apiKeys.length).toBeGreaterThan(15);
    }
    raw.close();
  });

  test("any other API in a version that is not served, and an unknown key: closed", async () => {
    expect(await closesOn(trap.port, framed(new Uint8Array([0, 3, 0, 99, 0, 0, 0, 1])))).toBe(true);
    expect(await closesOn(trap.port, framed(new Uint8Array([3, 99, 0, 0, 0, 0, 0, 1])))).toBe(true);
  });
});

test("trap 2: Produce is told from version 0 on, and taken from 3", async () => {
  const { apiKeys } = await trap.connection.send(apiVersionsApi, 0, {});
  expect(apiKeys.find(({ apiKey }) => apiKey === 0)?.minVersion).toBe(0);
  // No client id, acks 1, one second, no topics.
  const old = [0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
  expect(await closesOn(trap.port, framed(new Uint8Array(old)))).toBe(true);
});

// Groups are not served yet, so nothing can be said about JoinGroup's lowest version.
test("trap 3: JoinGroup is told and taken from version 0 on", async () => {
  expect(trap.connection.versions.range(joinGroupApi)?.min).toBe(0);
  const joined = await join("trap-3", 0);
  expect(joined).toMatchObject({ errorCode: ErrorCode.NONE, generationId: 1 });
  expect(joined.leader).toBe(joined.memberId);
});

/** One member joins a group of its own. Its first question makes the topic of all groups. */
async function join(groupId: string, version: number) {
  await trap.connection.send(findCoordinatorApi, 1, { key: groupId });
  return await trap.connection.send(joinGroupApi, version, {
    ...{ groupId, sessionTimeoutMs: 10_000, memberId: "", protocolType: "trap" },
    protocols: [{ name: "p", metadata: new Uint8Array(0) }],
  });
}

test("trap 4: the client id has an int16 length in flexible headers too", async () => {
  const raw = await openRaw(trap.port);
  // Read as a compact string, the first byte of 0x0101 would mean null, and 0x7f00 127 bytes less.
  for (const clientId of [null, "", "x".repeat(0x101), "y".repeat(0x7f00)]) {
    const frame = requestBytes(metadataApi, 12, { topics: [] }, { clientId });
    const answer = readAnswer(metadataApi, 12, await raw.sendFrame(frame));
    expect(answer.brokers.length).toBe(1);
  }
  raw.close();
});

test("trap 5: answers come in the order of the requests, also behind one that waits", async () => {
  const { name, topicId } = await trap.newTopic();
  const raw = await openRaw(trap.port);
  const waitMs = 400;
  const wanted = { partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 };
  const fetching = {
    ...{ maxWaitMs: waitMs, minBytes: 1 },
    topics: [{ topicId, partitions: [wanted] }],
  };
  const batch = encodeBatch([recordOf("x")]);
  const producing = (acks: number) => ({
    ...{ acks, timeoutMs: 1000 },
    topicData: [{ name: "no-such-topic", partitionData: [{ index: 0, records: batch }] }],
  });
  const id = (correlationId: number) => ({ correlationId });
  const frames = [
    requestBytes(fetchApi, 16, fetching, id(1)),
    requestBytes(metadataApi, 12, { topics: null }, id(2)),
    requestBytes(produceApi, 9, producing(-1), id(3)),
    requestBytes(apiVersionsApi, 0, {}, id(4)),
    requestBytes(produceApi, 9, producing(1), id(5)),
    requestBytes(metadataApi, 1, { topics: [] }, id(6)),
  ].map(framed);
  const startedMs = performance.now();
  raw.sendBytes(Buffer.concat(frames));
  const answers = frames.map(() => raw.nextFrame());
  await answers[0];
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(waitMs - 50);
  const ids = await Promise.all(answers);
  expect(ids.map((frame) => new DataView(frame.buffer, frame.byteOffset).getInt32(0))).toEqual([
    1, 2, 3, 4, 5, 6,
  ]);

  // Another connection does not wait for this one's fetch, and what it writes wakes it.
  const parked = raw.sendFrame(requestBytes(fetchApi, 16, { ...fetching, maxWaitMs: 9000 }, id(7)));
  await trap.produce(name, batch);
  const woken = readAnswer(fetchApi, 16, await parked, 7);
  expect(woken.responses[0]?.partitions[0]?.records).toMatchObject({ length: batch.length });
  raw.close();
});

// There are no coordinators yet, so no key is hashed to one.
test("trap 8: hashCode over UTF-16 units places coordinators", async () => {
  const { name } = await trap.newTopic();
  await trap.connection.send(findCoordinatorApi, 1, { key: "any" });
  // What Java prints for Math.abs(id.hashCode()) % 50: code points or bytes give other numbers.
  const places = [
    ["trap-8", 26],
    ["grüße", 23],
    ["𝕘𝕣𝕠𝕦𝕡 😀", 28],
  ] as const;
  for (const [groupId, partition] of places) {
    const before = await endOf("__consumer_offsets", partition);
    await trap.client.groups.commit(groupId, [{ topic: name, partition: 0, offset: 1 }]);
    expect(await endOf("__consumer_offsets", partition), groupId).toBe(before + 1);
  }
});

const endOf = async (topic: string, partition: number): Promise<number> =>
  (await trap.client.admin.listOffset(topic, partition, "latest")).offset;

test("trap 11: a fetch error has empty records, not null, and watermarks of -1", async () => {
  const { name, topicId } = await trap.newTopic();
  const unknownId = "AAAAAAAAAAAAAAAAAAAAAQ" as Uuid;
  const cases = [
    { topic: name, topicId, partition: 0, fetchOffset: 99 },
    { topic: name, topicId, partition: 9, fetchOffset: 0 },
    { topic: "no-such-topic", topicId: unknownId, partition: 0, fetchOffset: 0 },
  ];
  for (let version = fetchApi.minVersion; version <= fetchApi.maxVersion; version += 1) {
    for (const { topic, topicId: id, ...wanted } of cases) {
      const response = await trap.connection.send(fetchApi, version, {
        ...{ maxWaitMs: 10_000, minBytes: 1 },
        topics: [{ topic, topicId: id, partitions: [{ ...wanted, partitionMaxBytes: 1000 }] }],
      });
      const partition = response.responses[0]?.partitions[0];
      expect(partition?.errorCode, `version ${version}`).not.toBe(ErrorCode.NONE);
      expect(partition).toMatchObject({ highWatermark: -1, lastStableOffset: -1 });
      if (version >= 5) expect(partition?.logStartOffset).toBe(-1);
      expect(partition?.records).toMatchObject({ length: 0 });
    }
  }
});

test("trap 12: each listener tells its own advertised addresses", async () => {
  using data = temporaryFolder();
  // Its log shows the advertised ports, so that the real ones must be known before.
  const [inside, outside] = (await freePorts(2)) as [number, number];
  const advertised = "PLAINTEXT://inside.test:1111,OUTSIDE://outside.test:2222";
  await using two = await BrokerProcess.start({
    dataDirectory: data.path,
    port: inside,
    flags: [
      ...["--listen", `OUTSIDE://127.0.0.1:${outside}`],
      ...["--set", `advertised.listeners=${advertised}`],
      ...["--set", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OUTSIDE:PLAINTEXT"],
    ],
  });
  expect(two.log).toContain("listener=OUTSIDE");
  for (const [port, told] of [
    [inside, { host: "inside.test", port: 1111 }],
    [outside, { host: "outside.test", port: 2222 }],
  ] as const) {
    const one = await Connection.open({ host: "127.0.0.1", port });
    expect((await one.request(metadataApi, { topics: [] })).brokers).toMatchObject([told]);
    const cluster = { includeClusterAuthorizedOperations: false };
    expect((await one.request(describeClusterApi, cluster)).brokers).toMatchObject([told]);
    one.close();
  }
});

test("trap 13: SASL is not told, and one who begins with it is cut off", async () => {
  const { apiKeys } = await trap.connection.send(apiVersionsApi, 3, {
    ...{ clientSoftwareName: "trap", clientSoftwareVersion: "1" },
  });
  const keys = apiKeys.map(({ apiKey }) => apiKey);
  // kafkajs takes key 36 for the sign that it must authenticate with it.
  expect(keys).not.toContain(17);
  expect(keys).not.toContain(36);
  const handshake = requestBytes(saslHandshakeApi, 1, { mechanism: "PLAIN" });
  expect(await closesOn(trap.port, framed(handshake))).toBe(true);
});

test("trap 14: telemetry is not told, as there is none", async () => {
  const { apiKeys } = await trap.connection.send(apiVersionsApi, 0, {});
  const keys = apiKeys.map(({ apiKey }) => apiKey);
  expect(keys).not.toContain(71);
  expect(keys).not.toContain(72);
});

test("trap 15: no feature is finalised that switches clients to a protocol we lack", async () => {
  const software = { clientSoftwareName: "trap", clientSoftwareVersion: "1" };
  const answer = await trap.connection.send(apiVersionsApi, 4, software);
  expect(answer.finalizedFeaturesEpoch).toBeGreaterThanOrEqual(0);
  const names = answer.finalizedFeatures.map(({ name }) => name);
  expect(names).toContain("metadata.version");
  expect(names).toContain("group.version");
  // Level 2 promises all of KIP-890 (trap 15).
  expect(names).toContain("transaction.version");
  expect(names).not.toContain("share.version");
});

test("trap 17: null and the empty list mean different things", async () => {
  const { name } = await trap.newTopic();
  const named = async (version: number, topics: [] | null) =>
    (await trap.connection.send(metadataApi, version, { topics })).topics.map(
      (topic) => topic.name,
    );
  expect(await named(0, [])).toContain(name);
  for (let version = 1; version <= metadataApi.maxVersion; version += 1) {
    expect(await named(version, [])).toEqual([]);
    expect(await named(version, null)).toContain(name);
  }
  await trap.produce(name, encodeBatch([recordOf("x")]));
  const onDisk = async (topics: [] | null) => {
    const { results } = await trap.connection.request(describeLogDirsApi, { topics });
    return results.flatMap((result) => result.topics.map((topic) => topic.name));
  };
  expect(await onDisk([])).toEqual([]);
  expect(await onDisk(null)).toContain(name);
});

// There is no rebalance to delay.
test("trap 18: group.initial.rebalance.delay.ms can be taken away", async () => {
  const [delay] = await trap.client.admin.describeConfigs({ type: "broker", name: "1" }, [
    "group.initial.rebalance.delay.ms",
  ]);
  // This broker was started with 0; three seconds are the default, as Kafka has them.
  expect([delay?.value, delay?.synonyms.at(-1)?.value]).toEqual(["0", "3000"]);
  expect((await join("trap-18", 4)).errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED);
  expect((await join("trap-18-too", 3)).errorCode).toBe(ErrorCode.NONE);
});

test("trap 19: unknown tagged fields are skipped, wherever they stand", async () => {
  const { name } = await trap.newTopic();
  const version = 12;
  const unknown = (writer: Writer) => {
    writer.uvarint(2);
    for (const [tag, bytes] of [
      [77, 3],
      [70_000, 200],
    ] as const) {
      writer.uvarint(tag);
      writer.uvarint(bytes);
      writer.raw(new Uint8Array(bytes).fill(0xee));
    }
  };
  const writer = new Writer(1024);
  encodeRequestHeader(writer, metadataApi, version, 7, "trap");
  // The header's own tags: the last byte is their count, 0.
  writer.rewind(writer.length - 1, 0);
  unknown(writer);
  writer.uvarint(2);
  writer.uuid(ZERO_UUID);
  writer.nullableCompactString(name);
  unknown(writer);
  writer.bool(false);
  writer.bool(false);
  unknown(writer);
  const raw = await openRaw(trap.port);
  const answer = readAnswer(metadataApi, version, await raw.sendFrame(writer.toBytes()));
  expect(answer.topics.map((topic) => [topic.name, topic.errorCode])).toEqual([[name, 0]]);
  raw.close();
});

test("trap 20: a topic that is made again has another id, and nothing of the old one", async () => {
  const old = await trap.newTopic();
  await trap.produce(old.name, encodeBatch([recordOf("x")]));
  await trap.client.admin.deleteTopic(old.name);
  const { topicId } = await trap.client.admin.createTopic({ name: old.name, partitions: 1 });
  expect(topicId).not.toBe(old.topicId);
  const wanted = { partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 };
  const fetched = async (id: Uuid) => {
    const topics = [{ topicId: id, partitions: [wanted] }];
    const response = await trap.connection.send(fetchApi, 13, {
      maxWaitMs: 0,
      minBytes: 0,
      topics,
    });
    return response.responses[0]?.partitions[0];
  };
  expect((await fetched(old.topicId))?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
  expect(await fetched(topicId)).toMatchObject({ errorCode: 0, highWatermark: 0 });
  const partitionData = [{ index: 0, records: encodeBatch([recordOf("x")]) }];
  const produced = await trap.connection.send(produceApi, 13, {
    ...{ acks: -1, timeoutMs: 1000, topicData: [{ topicId: old.topicId, partitionData }] },
  });
  const code = produced.responses[0]?.partitionResponses[0]?.errorCode;
  expect(code).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
  const topics = [{ topicId: old.topicId, name: null }];
  const [described] = (await trap.connection.send(metadataApi, 12, { topics })).topics;
  expect(described?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
});

describe("trap 21: lengths are lies until they are checked", () => {
  const MIB = 1024 * 1024;
  const residentBytes = (): number => {
    const status = readFileSync(`/proc/${trap.process.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  };
  const int32 = (value: number) => new Uint8Array(new Int32Array([value]).buffer).toReversed();

  const prefixes: readonly (readonly [string, Uint8Array])[] = [
    ["a negative length", int32(-1)],
    ["the lowest length", int32(-0x8000_0000)],
    ["the highest length", int32(0x7fff_ffff)],
    ["one byte above socket.request.max.bytes", int32(100 * MIB + 1)],
    ["too short for a header", new Uint8Array([0, 0, 0, 4, 0, 18, 0, 0])],
    ["a TLS hello", new Uint8Array([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ];
  for (const [name, bytes] of prefixes) {
    test(`${name}: closed`, async () => {
      expect(await closesOn(trap.port, bytes)).toBe(true);
    });
  }

  test("counts and lengths inside of a request that the frame cannot hold: closed", async () => {
    const header = (key: number, version: number) => [0, key, 0, version, 0, 0, 0, 7, 0xff, 0xff];
    const huge = [0x7f, 0xff, 0xff, 0xff];
    const varint = [0xff, 0xff, 0xff, 0xff, 0x0f];
    const bodies: readonly (readonly [string, number[]])[] = [
      ["an array", [...header(3, 1), ...huge]],
      ["a compact array", [...header(3, 12), 0, ...varint]],
      ["a negative array", [...header(3, 1), 0xff, 0xff, 0xff, 0xf0]],
      ["a string", [...header(3, 1), 0, 0, 0, 1, 0x7f, 0xff, 65]],
      ["a negative string", [...header(3, 1), 0, 0, 0, 1, 0xff, 0xfe]],
      ["a compact string", [...header(3, 12), 0, 2, ...new Array(16).fill(0), ...varint]],
      ["tagged fields", [...header(3, 12), ...varint]],
      ["a client id", [0, 3, 0, 1, 0, 0, 0, 7, 0x7f, 0xff, 65]],
      [
        "records",
        [
          ...header(0, 3),
          0xff,
          0xff,
          0,
          1,
          0,
          0,
          0,
          9,
          0,
          0,
          0,
          1,
          0,
          1,
          116,
          0,
          0,
          0,
          1,
          0,
          0,
          0,
          0,
          ...huge,
        ],
      ],
      ["a varint without an end", [...header(3, 12), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ];
    for (const [name, bytes] of bodies) {
      expect(await closesOn(trap.port, framed(new Uint8Array(bytes))), name).toBe(true);
    }
  });

  test("claims cost no memory, and hurt nobody else", async () => {
    const before = residentBytes();
    const claims: Connection[] = [];
    for (let index = 0; index < 50; index += 1) {
      const raw = await openRaw(trap.port);
      // 90 MiB are announced, ten bytes come.
      raw.sendBytes(new Uint8Array([...int32(90 * MIB), 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff]));
      claims.push(raw);
    }
    const answer = await trap.connection.request(metadataApi, { topics: [] });
    expect(answer.brokers.length).toBe(1);
    expect(residentBytes() - before).toBeLessThan(64 * MIB);
    for (const raw of claims) raw.close();
  });
});

describe("trap 22: nothing follows an answer", () => {
  // `Connection` refuses an answer with a byte too many, as rskafka does.
  for (const { api, maxVersion } of servedApis) {
    test(`${api.name}, version ${api.minVersion} to ${maxVersion}`, async () => {
      const topic = await trap.newTopic();
      await trap.produce(topic.name, encodeBatch([recordOf("x"), recordOf("y")]));
      for (let version = api.minVersion; version <= maxVersion; version += 1) {
        const request = everyApiRequest(api.name, version, topic);
        await trap.connection.send(api, version, request as never);
      }
    });
  }
});
