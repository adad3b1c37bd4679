import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Uuid } from "@mantou/base";
import { Client, type Connection, produceBatch } from "@mantou/client";
import {
  ErrorCode,
  type FetchRequestInput,
  type FetchResponse,
  decodeBatches,
  encodeBatch,
  fetchApi,
} from "@mantou/protocol";
import { type InProcessBroker, startInProcess } from "./in-process-broker.ts";

let broker: InProcessBroker;
let client: Client;
let connection: Connection;

beforeAll(async () => {
  broker = await startInProcess();
  client = await Client.connect({ brokers: `127.0.0.1:${broker.port}` });
  connection = await broker.connect();
});

afterAll(async () => {
  connection.close();
  client.abort();
  await broker[Symbol.asyncDispose]();
});

async function topic(partitions = 1): Promise<string> {
  const name = `t-${crypto.randomUUID()}`;
  await client.admin.createTopic({ name, partitions });
  return name;
}

/** Appends one batch of `count` records of `bytes` bytes each; gives the base offset. */
async function append(name: string, partition = 0, count = 1, bytes = 10): Promise<number> {
  const records = Array.from({ length: count }, () => ({
    value: new Uint8Array(bytes).fill(65),
    timestamp: Date.now(),
  }));
  const answer = await produceBatch(client.cluster, name, partition, encodeBatch(records));
  expect(answer.errorCode).toBe(ErrorCode.NONE);
  return answer.baseOffset;
}

interface Ask {
  readonly partition?: number;
  readonly offset?: number;
  readonly partitionMaxBytes?: number;
  readonly currentLeaderEpoch?: number;
  readonly lastFetchedEpoch?: number;
}

function request(
  name: string,
  asks: readonly Ask[],
  more: Partial<FetchRequestInput> = {},
): FetchRequestInput {
  return {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 50_000_000,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    forgottenTopicsData: [],
    rackId: "",
    topics: [
      {
        topic: name,
        partitions: asks.map((ask) => ({
          partition: ask.partition ?? 0,
          currentLeaderEpoch: ask.currentLeaderEpoch ?? -1,
          fetchOffset: ask.offset ?? 0,
          lastFetchedEpoch: ask.lastFetchedEpoch ?? -1,
          partitionMaxBytes: ask.partitionMaxBytes ?? 1_000_000,
        })),
      },
    ],
    ...more,
  };
}

type Answer = FetchResponse["responses"][number]["partitions"][number];

async function ask(
  name: string,
  asks: readonly Ask[],
  more: Partial<FetchRequestInput> = {},
  version = 12,
): Promise<{ response: FetchResponse; answers: Answer[]; offsets: number[][] }> {
  const { response, bytes } = await connection.exchange(
    fetchApi,
    version,
    request(name, asks, more),
  );
  const answers = response.responses.flatMap((entry) => entry.partitions);
  const offsets = answers.map(({ records }) =>
    records === null || !("offset" in records) || records.length === 0
      ? []
      : decodeBatches(bytes.subarray(records.offset, records.offset + records.length), {
          checkCrc: true,
        }).flatMap((batch) => batch.records.map((record) => record.offset)),
  );
  return { response, answers, offsets };
}

test("reads what was written, in every version, starting with the batch of the offset", async () => {
  const name = await topic();
  await append(name, 0, 5);
  await append(name, 0, 3);
  for (let version = 4; version <= 12; version += 1) {
    const { answers, offsets } = await ask(name, [{ offset: 3 }], {}, version);
    expect(answers[0]?.errorCode, `version ${version}`).toBe(ErrorCode.NONE);
    expect(answers[0]?.highWatermark).toBe(8);
    // The whole batch that holds offset 3; the client drops what is before.
    expect(offsets[0]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  }
});

test("versions 13 to 18 read by topic id", async () => {
  const name = await topic();
  await append(name, 0, 2);
  const { topicId } = await client.admin.describeTopic(name);
  for (let version = 13; version <= 18; version += 1) {
    const topics = request("", [{}]).topics.map((entry) => ({ ...entry, topicId }));
    const { answers } = await ask("", [], { topics }, version);
    expect(answers[0]?.errorCode, `version ${version}`).toBe(ErrorCode.NONE);
    expect(answers[0]?.highWatermark).toBe(2);
  }
  const unknown = "AAAAAAAAAAAAAAAAAAAAAQ" as Uuid;
  const topics = request("", [{}]).topics.map((entry) => ({ ...entry, topicId: unknown }));
  const { answers } = await ask("", [], { topics }, 13);
  expect(answers[0]?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
});

test("errors carry empty records and -1 for every offset", async () => {
  const name = await topic();
  await append(name, 0, 2);
  const { answers } = await ask(name, [{ offset: 3 }, { partition: 9 }]);
  for (const [index, code] of [
    [0, ErrorCode.OFFSET_OUT_OF_RANGE],
    [1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  ] as const) {
    const answer = answers[index];
    expect(answer?.errorCode).toBe(code);
    expect(answer?.highWatermark).toBe(-1);
    expect(answer?.lastStableOffset).toBe(-1);
    expect(answer?.logStartOffset).toBe(-1);
    expect(answer?.records).not.toBeNull();
  }
});

test("abortedTransactions is null for read_uncommitted and empty for read_committed", async () => {
  const name = await topic();
  await append(name);
  expect((await ask(name, [{}])).answers[0]?.abortedTransactions).toBeNull();
  const committed = await ask(name, [{}], { isolationLevel: 1 });
  expect(committed.answers[0]?.abortedTransactions).toEqual([]);
});

test("a batch larger than every limit is given whole, when it is the first one", async () => {
  const name = await topic(2);
  await append(name, 0, 1, 50_000);
  await append(name, 1, 1, 50_000);
  const tiny = { partitionMaxBytes: 100 };
  const { offsets } = await ask(name, [tiny, { ...tiny, partition: 1 }], { maxBytes: 100 });
  expect(offsets).toEqual([[0], []]);
});

test("maxBytes of the request bounds all partitions together", async () => {
  const name = await topic(10);
  for (let partition = 0; partition < 10; partition += 1) await append(name, partition, 1, 10_000);
  const asks = Array.from({ length: 10 }, (_, partition) => ({ partition }));
  const { offsets } = await ask(name, asks, { maxBytes: 35_000 });
  expect(offsets.filter((found) => found.length > 0).length).toBe(3);
});

test("waits for data until it comes", async () => {
  const name = await topic();
  const own = await broker.connect();
  const startedMs = performance.now();
  const parked = own.send(fetchApi, 12, request(name, [{}], { maxWaitMs: 20_000 }));
  await append(name);
  const response = await parked;
  expect(response.responses[0]?.partitions[0]?.highWatermark).toBe(1);
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  own.close();
});

test("answers empty when the time is over, and not before", async () => {
  const name = await topic();
  const startedMs = performance.now();
  const { answers, offsets } = await ask(name, [{}], { maxWaitMs: 120 });
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(115);
  expect(answers[0]?.errorCode).toBe(ErrorCode.NONE);
  expect(offsets).toEqual([[]]);
});

test("minBytes: waits until enough is there", async () => {
  const name = await topic();
  await append(name, 0, 1, 100);
  const own = await broker.connect();
  const wants = request(name, [{}], { maxWaitMs: 20_000, minBytes: 5000 });
  const parked = own.exchange(fetchApi, 12, wants);
  await append(name, 0, 1, 100);
  await append(name, 0, 1, 6000);
  const { response } = await parked;
  expect(response.responses[0]?.partitions[0]?.highWatermark).toBe(3);
  own.close();
});

test("an answer waits for an earlier, parked one: the order of the connection holds", async () => {
  const name = await topic();
  const own = await broker.connect();
  const order: string[] = [];
  const parked = own
    .send(fetchApi, 12, request(name, [{}], { maxWaitMs: 300 }))
    .then(() => order.push("parked"));
  const quick = own
    .send(fetchApi, 12, request(name, [{ offset: 99 }]))
    .then(() => order.push("quick"));
  await Promise.all([parked, quick]);
  expect(order).toEqual(["parked", "quick"]);
  own.close();
});

test("sessions: an incremental answer names only what is new", async () => {
  const name = await topic(3);
  await append(name, 0);
  const asks = [{}, { partition: 1 }, { partition: 2 }];
  const full = await ask(name, asks, { sessionEpoch: 0 });
  const { sessionId } = full.response;
  expect(sessionId).toBeGreaterThan(0);
  expect(full.answers.length).toBe(3);

  const more = (sessionEpoch: number, changed: readonly Ask[] = []) =>
    ask(name, changed, {
      sessionId,
      sessionEpoch,
      ...(changed.length === 0 ? { topics: [] } : {}),
    });
  // The client has read offset 0 of partition 0; nothing else has changed.
  const nothing = await more(1, [{ offset: 1 }]);
  expect(nothing.answers).toEqual([]);
  await append(name, 2);
  const news = await more(2);
  expect(news.answers.map((answer) => answer.partitionIndex)).toEqual([2]);
  expect(news.offsets).toEqual([[0]]);
  const wrong = await more(7);
  expect(wrong.response.errorCode).toBe(ErrorCode.INVALID_FETCH_SESSION_EPOCH);
});

test("sessions: a parked incremental fetch is woken by any of its partitions", async () => {
  const name = await topic(3);
  const own = await broker.connect();
  const asks = [{}, { partition: 1 }, { partition: 2 }];
  const full = await own.send(fetchApi, 12, request(name, asks, { sessionEpoch: 0 }));
  const { sessionId } = full;
  const wait = { sessionId, sessionEpoch: 1, topics: [], maxWaitMs: 20_000 };
  const parked = own.send(fetchApi, 12, request(name, [], wait));
  await append(name, 1);
  const response = await parked;
  expect(response.responses[0]?.partitions.map((entry) => entry.partitionIndex)).toEqual([1]);
  own.close();
});

test("sessions: forgotten partitions are no longer answered", async () => {
  const name = await topic(2);
  const full = await ask(name, [{}, { partition: 1 }], { sessionEpoch: 0 });
  const { sessionId } = full.response;
  await append(name, 0);
  await append(name, 1);
  const after = await ask(name, [], {
    sessionId,
    sessionEpoch: 1,
    topics: [],
    forgottenTopicsData: [{ topic: name, partitions: [0] }],
  });
  expect(after.answers.map((answer) => answer.partitionIndex)).toEqual([1]);
});

test("a wrong leader epoch is fenced or unknown", async () => {
  const name = await topic();
  const epoch = (await client.admin.describeTopic(name)).partitions[0]?.leaderEpoch ?? 0;
  const later = await ask(name, [{ currentLeaderEpoch: epoch + 1 }]);
  expect(later.answers[0]?.errorCode).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH);
  const now = await ask(name, [{ currentLeaderEpoch: epoch }]);
  expect(now.answers[0]?.errorCode).toBe(ErrorCode.NONE);
});

test("an epoch that the log has never had is out of range: there is no place to go back to", async () => {
  const name = await topic();
  await append(name, 0, 3);
  const epoch = (await client.admin.describeTopic(name)).partitions[0]?.leaderEpoch ?? 0;
  const { answers } = await ask(name, [{ offset: 2, lastFetchedEpoch: epoch + 5 }]);
  expect(answers[0]?.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
});

test("beyond the end, a client that tells its last epoch learns where that epoch ends", async () => {
  const name = await topic();
  await append(name, 0, 3);
  const epoch = (await client.admin.describeTopic(name)).partitions[0]?.leaderEpoch ?? 0;
  const { answers } = await ask(name, [{ offset: 1000, lastFetchedEpoch: epoch }]);
  expect(answers[0]?.errorCode).toBe(ErrorCode.NONE);
  expect(answers[0]?.divergingEpoch).toEqual({ epoch, endOffset: 3 });
  const silent = await ask(name, [{ offset: 1000 }]);
  expect(silent.answers[0]?.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
});

test("sessions: an epoch told in a newer version is not answered in an older one", async () => {
  const name = await topic();
  await append(name, 0, 3);
  const asks = [{ offset: 1000, lastFetchedEpoch: 0 }];
  const full = await ask(name, asks, { sessionEpoch: 0 });
  expect(full.answers[0]?.divergingEpoch).toEqual({ epoch: 0, endOffset: 3 });
  const { sessionId } = full.response;
  const wait = { sessionId, sessionEpoch: 1, topics: [] };
  const older = await ask(name, [], wait, 9);
  expect(older.answers[0]?.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
});

test("minBytes beyond what an answer may hold does not make it wait", async () => {
  const name = await topic();
  for (let batch = 0; batch < 3; batch += 1) await append(name, 0, 1, 20_000);
  const startedMs = performance.now();
  const wait = { maxWaitMs: 20_000, minBytes: 1_000_000, maxBytes: 20_000 };
  const { offsets } = await ask(name, [{}], wait);
  expect(offsets[0]?.length).toBeGreaterThan(0);
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});

test("a client cannot pose as a follower", async () => {
  const name = await topic();
  const { response } = await ask(name, [{}], { replicaId: 1 });
  expect(response.errorCode).toBe(ErrorCode.CLUSTER_AUTHORIZATION_FAILED);
});

test("deleting the topic under a parked fetch answers it", async () => {
  const name = await topic();
  const own = await broker.connect();
  const parked = own.send(fetchApi, 12, request(name, [{}], { maxWaitMs: 20_000 }));
  await client.admin.deleteTopic(name);
  const response = await parked;
  expect(response.responses[0]?.partitions[0]?.errorCode).toBe(
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  );
  own.close();
});

test("a thousand partitions in one fetch, a few with data", async () => {
  const name = await topic(1000);
  await append(name, 3);
  await append(name, 997);
  const asks = Array.from({ length: 1000 }, (_, partition) => ({ partition }));
  const { answers, offsets } = await ask(name, asks);
  expect(answers.length).toBe(1000);
  expect(offsets.flatMap((found, index) => (found.length > 0 ? [index] : []))).toEqual([3, 997]);
});
