import { afterAll, beforeAll, expect, test } from "bun:test";
import { Client, type Connection, produceBatch } from "@mantou/client";
import {
  BatchField,
  ErrorCode,
  crc32c,
  encodeBatch,
  initProducerIdApi,
  produceApi,
  type ProduceResponse,
} from "@mantou/protocol";
import { type InProcessBroker, startInProcess } from "./in-process-broker.ts";

let broker: InProcessBroker;
let client: Client;
let connection: Connection;

const utf8 = new TextEncoder();
const value = (text: string) => ({ value: utf8.encode(text), timestamp: Date.now() });

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

async function topic(configs: Record<string, string> = {}, partitions = 1): Promise<string> {
  const name = `t-${crypto.randomUUID()}`;
  await client.admin.createTopic({ name, partitions, configs });
  return name;
}

type Answer = ProduceResponse["responses"][number]["partitionResponses"][number];

/** One batch to one partition, at a version that still uses names. */
async function send(
  name: string,
  records: Uint8Array | null,
  options: { acks?: number; version?: number; partition?: number } = {},
): Promise<Answer> {
  const { acks = -1, version = 9, partition = 0 } = options;
  const response = await connection.send(produceApi, version, {
    acks,
    timeoutMs: 10_000,
    topicData: [{ name, partitionData: [{ index: partition, records }] }],
  });
  return response.responses[0]?.partitionResponses[0] as Answer;
}

test("offsets follow each other, for acks=all and acks=1, in every version", async () => {
  const name = await topic();
  let expected = 0;
  for (let version = 3; version <= 12; version += 1) {
    for (const acks of [-1, 1]) {
      const batch = encodeBatch([value("a"), value("b"), value("c")]);
      const answer = await send(name, batch, { acks, version });
      expect(answer.errorCode, `version ${version}`).toBe(ErrorCode.NONE);
      expect(answer.baseOffset).toBe(expected);
      expected += 3;
    }
  }
});

test("version 13 takes topic ids", async () => {
  const name = await topic();
  const { topicId } = await client.admin.describeTopic(name);
  const ask = (id: typeof topicId) =>
    connection.send(produceApi, 13, {
      acks: -1,
      timeoutMs: 10_000,
      topicData: [
        { topicId: id, partitionData: [{ index: 0, records: encodeBatch([value("x")]) }] },
      ],
    });
  const good = await ask(topicId);
  expect(good.responses[0]?.topicId).toBe(topicId);
  expect(good.responses[0]?.partitionResponses[0]?.errorCode).toBe(ErrorCode.NONE);
  const other = `${topicId.startsWith("B") ? "C" : "B"}${topicId.slice(1)}` as typeof topicId;
  const bad = await ask(other);
  expect(bad.responses[0]?.partitionResponses[0]?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
});

test("a request with many partitions answers each of them", async () => {
  const name = await topic({}, 20);
  const response = await connection.send(produceApi, 9, {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [
      {
        name,
        partitionData: Array.from({ length: 22 }, (_, index) => ({
          index,
          records: encodeBatch([value(`p${index}`)]),
        })),
      },
    ],
  });
  const codes = response.responses[0]?.partitionResponses.map((answer) => answer.errorCode);
  expect(codes).toEqual([
    ...Array.from({ length: 20 }, () => 0),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ]);
});

test("acks outside of -1, 0, 1 is INVALID_REQUIRED_ACKS and stores nothing", async () => {
  const name = await topic();
  const answer = await send(name, encodeBatch([value("x")]), { acks: 2 });
  expect(answer.errorCode).toBe(ErrorCode.INVALID_REQUIRED_ACKS);
  expect(answer.baseOffset).toBe(-1);
  expect((await send(name, encodeBatch([value("x")]))).baseOffset).toBe(0);
});

test("acks=0 has no answer, and the next request's answer comes first", async () => {
  const name = await topic();
  const silent = {
    acks: 0,
    timeoutMs: 1000,
    topicData: [{ name, partitionData: [{ index: 0, records: encodeBatch([value("x")]) }] }],
  };
  await connection.sendOneWay(produceApi, 9, silent);
  expect((await send(name, encodeBatch([value("y")]))).baseOffset).toBe(1);
});

test("acks=0 to an unknown topic closes the connection: there is no other way to tell", async () => {
  const own = await broker.connect();
  await own.sendOneWay(produceApi, 9, {
    acks: 0,
    timeoutMs: 1000,
    topicData: [
      { name: "nowhere", partitionData: [{ index: 0, records: encodeBatch([value("x")]) }] },
    ],
  });
  expect((await own.closed).code).toBe("CLOSED");
});

test("null, empty and double records are INVALID_RECORD, and hurt only their partition", async () => {
  const name = await topic();
  const one = encodeBatch([value("x")]);
  const two = new Uint8Array([...one, ...one]);
  expect((await send(name, null)).errorCode).toBe(ErrorCode.INVALID_RECORD);
  expect((await send(name, new Uint8Array(0))).errorCode).toBe(ErrorCode.INVALID_RECORD);
  expect((await send(name, two)).errorCode).toBe(ErrorCode.INVALID_RECORD);
  expect((await send(name, one)).errorCode).toBe(ErrorCode.NONE);
});

test("producer ids that a float cannot tell apart are refused, not taken for one producer", async () => {
  const name = await topic();
  for (const producerId of [2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 63n - 1n]) {
    const batch = encodeBatch([value("x")], { producerId: 1, producerEpoch: 0, baseSequence: 0 });
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
    view.setBigInt64(BatchField.producerId, producerId);
    view.setUint32(BatchField.crc, crc32c(batch, BatchField.attributes));
    const { errorCode } = await send(name, batch);
    expect(errorCode, String(producerId)).toBe(ErrorCode.INVALID_RECORD);
  }
});

test("each flipped bit of a batch is refused or was not covered by anything", async () => {
  const name = await topic();
  const good = encodeBatch([value("some value")]);
  for (let at = 0; at < good.length; at += 1) {
    // Base offset and leader epoch are set by the broker, and no checksum covers them.
    if (at < 8 || (at >= 12 && at < 16)) continue;
    const bad = good.slice();
    bad[at] = (bad[at] as number) ^ 0x10;
    const { errorCode } = await send(name, bad);
    expect([ErrorCode.CORRUPT_MESSAGE, ErrorCode.INVALID_RECORD], `byte ${at}`).toContain(
      errorCode as typeof ErrorCode.CORRUPT_MESSAGE,
    );
  }
});

test("message.max.bytes: MESSAGE_TOO_LARGE, exactly at the limit", async () => {
  const batch = encodeBatch([{ value: new Uint8Array(2000), timestamp: Date.now() }]);
  const fits = await topic({ "max.message.bytes": String(batch.length) });
  const tight = await topic({ "max.message.bytes": String(batch.length - 1) });
  expect((await send(fits, batch)).errorCode).toBe(ErrorCode.NONE);
  const refused = await send(tight, batch);
  expect(refused.errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE);
  expect(refused.errorMessage).toContain("max.message.bytes");
});

test("timestamps outside of the topic's window are INVALID_TIMESTAMP", async () => {
  const name = await topic({
    "message.timestamp.before.max.ms": "60000",
    "message.timestamp.after.max.ms": "60000",
  });
  const at = (timestamp: number) => encodeBatch([{ value: utf8.encode("x"), timestamp }]);
  expect((await send(name, at(Date.now()))).errorCode).toBe(ErrorCode.NONE);
  expect((await send(name, at(Date.now() - 120_000))).errorCode).toBe(ErrorCode.INVALID_TIMESTAMP);
  expect((await send(name, at(Date.now() + 120_000))).errorCode).toBe(ErrorCode.INVALID_TIMESTAMP);
  // A batch's largest timestamp does not speak for its first record.
  const [old, now] = [Date.now() - 120_000, Date.now()];
  const mixed = encodeBatch([
    { ...value("old"), timestamp: old },
    { ...value("now"), timestamp: now },
  ]);
  expect((await send(name, mixed)).errorCode).toBe(ErrorCode.INVALID_TIMESTAMP);
  expect((await send(name, at(-1))).errorCode).toBe(ErrorCode.NONE);
});

test("LogAppendTime: the broker's time in the answer and in the batch", async () => {
  const name = await topic({ "message.timestamp.type": "LogAppendTime" });
  const before = Date.now();
  const answer = await send(name, encodeBatch([{ value: utf8.encode("x"), timestamp: 5 }]));
  expect(answer.logAppendTimeMs).toBeGreaterThanOrEqual(before);
  const consumer = client.consumer();
  consumer.assign([{ topic: name, partition: 0 }]);
  const [record] = await consumer.poll({ timeoutMs: 5000 });
  consumer.close();
  expect(record?.timestamp).toBe(answer.logAppendTimeMs);
});

test("zstd below version 7 is UNSUPPORTED_COMPRESSION_TYPE", async () => {
  const name = await topic();
  const { codecs } = await import("@mantou/client");
  const batch = encodeBatch([value("x")], { codec: 4, codecs });
  expect((await send(name, batch, { version: 6 })).errorCode).toBe(
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
  );
  expect((await send(name, batch, { version: 7 })).errorCode).toBe(ErrorCode.NONE);
});

test("clients may not send control batches", async () => {
  const name = await topic();
  const batch = encodeBatch([value("x")], {
    control: true,
    producerId: 1,
    producerEpoch: 0,
    baseSequence: 0,
  });
  expect((await send(name, batch)).errorCode).toBe(ErrorCode.INVALID_RECORD);
});

test("idempotence: duplicates answer the first offset, gaps and old epochs are refused", async () => {
  const name = await topic();
  const { producerId, producerEpoch } = await connection.request(initProducerIdApi, {
    transactionalId: null,
    transactionTimeoutMs: 0,
  });
  const batch = (baseSequence: number, epoch = producerEpoch) =>
    encodeBatch([value("x"), value("y")], { producerId, producerEpoch: epoch, baseSequence });
  expect((await send(name, batch(0))).baseOffset).toBe(0);
  expect((await send(name, batch(2))).baseOffset).toBe(2);
  const again = await send(name, batch(0));
  expect([again.errorCode, again.baseOffset]).toEqual([ErrorCode.NONE, 0]);
  expect((await send(name, batch(6))).errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect((await send(name, batch(0, producerEpoch + 1))).baseOffset).toBe(4);
  expect((await send(name, batch(4))).errorCode).toBe(ErrorCode.INVALID_PRODUCER_EPOCH);
  expect(await client.admin.listOffset(name, 0, "latest")).toMatchObject({
    offset: 6,
  });
});

test("producer ids are never given twice, across blocks of 1000", async () => {
  const ask = (): Promise<number> =>
    connection
      .request(initProducerIdApi, { transactionalId: null, transactionTimeoutMs: 0 })
      .then((answer) => answer.producerId);
  const ids = new Set<number>();
  for (let round = 0; round < 3; round += 1) {
    for (const id of await Promise.all(Array.from({ length: 500 }, ask))) ids.add(id);
  }
  expect(ids.size).toBe(1500);
});

test("bytes that are no batch at all never harm another request", async () => {
  const name = await topic();
  for (const length of [1, 11, 12, 60, 61, 500]) {
    const garbage = Uint8Array.from({ length }, (_, index) => (index * 37) & 0xff);
    const answer = await produceBatch(client.cluster, name, 0, garbage);
    expect(answer.errorCode, `${length} bytes`).not.toBe(ErrorCode.NONE);
  }
  expect((await send(name, encodeBatch([value("x")]))).baseOffset).toBe(0);
});
