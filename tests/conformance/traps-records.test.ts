import { zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  BatchField,
  CompressionType,
  ErrorCode,
  decodeBatches,
  encodeBatch,
  fetchApi,
  listOffsetsApi,
  produceApi,
} from "@mantou/protocol";
import { lz4Frame, snappyBlock, xerialSnappy, zstdWithoutSize } from "./odd-payloads.ts";
import {
  batchWithPayload,
  openRaw,
  patchInt64,
  plainPayload,
  readAnswer,
  recordOf,
  requestBytes,
  withCrc,
} from "./raw-requests.ts";
import { readBatches } from "./reading.ts";
import { TrapBroker } from "./trap-broker.ts";

/** The traps about records: see `traps.test.ts`. */
const LONG_MAX = 0x7fff_ffff_ffff_ffffn;
let trap: TrapBroker;

beforeAll(async () => {
  trap = await TrapBroker.start();
});

afterAll(() => trap?.stop());

describe("trap 6: what the CRC of a batch covers", () => {
  test("the leader epoch is outside, and is the broker's to set", async () => {
    const { name } = await trap.newTopic();
    const batch = encodeBatch([recordOf("x")], { partitionLeaderEpoch: 77 });
    expect((await trap.produce(name, batch)).errorCode).toBe(ErrorCode.NONE);
    const [stored] = await trap.fetch(name, [{ fetchOffset: 0 }]);
    const bytes = stored?.bytes ?? new Uint8Array(0);
    const view = new DataView(bytes.buffer);
    expect(view.getInt32(BatchField.partitionLeaderEpoch)).toBe(0);
    expect(view.getUint32(BatchField.crc)).toBe(
      new DataView(batch.buffer, batch.byteOffset).getUint32(BatchField.crc),
    );
    expect(decodeBatches(bytes).length).toBe(1);
  });

  test("everything from the attributes on is inside", async () => {
    const { name } = await trap.newTopic();
    const good = encodeBatch([recordOf("some value")]);
    for (let at: number = BatchField.crc; at < good.length; at += 1) {
      const bad = good.slice();
      bad[at] = (bad[at] as number) ^ 0x01;
      const { errorCode } = await trap.produce(name, bad);
      expect(errorCode, `byte ${at}`).toBe(ErrorCode.CORRUPT_MESSAGE);
    }
  });
});

describe("trap 7: int64 values beyond 2^53", () => {
  const MARKER = 0x00aa_bbcc_ddee;

  async function listed(timestamp: bigint) {
    const { name } = await trap.newTopic();
    await trap.produce(name, encodeBatch([recordOf("x")]));
    const topics = [{ name, partitions: [{ partitionIndex: 0, timestamp: MARKER }] }];
    const frame = requestBytes(listOffsetsApi, 7, { replicaId: -1, topics });
    const raw = await openRaw(trap.port);
    const answer = await raw.sendFrame(patchInt64(frame, MARKER, timestamp));
    raw.close();
    return readAnswer(listOffsetsApi, 7, answer).topics[0]?.partitions[0];
  }

  test("timestamps: none is as late as the last int64, and the first one has no meaning", async () => {
    expect(await listed(LONG_MAX)).toMatchObject({ errorCode: ErrorCode.NONE, offset: -1 });
    const unknown = { errorCode: ErrorCode.UNSUPPORTED_VERSION, offset: -1 };
    expect(await listed(-LONG_MAX - 1n)).toMatchObject(unknown);
    // -2 modulo 2^53 and modulo 2^32.
    expect(await listed((1n << 53n) - 2n)).toMatchObject({ errorCode: 0, offset: -1 });
    expect(await listed((1n << 32n) - 2n)).toMatchObject({ errorCode: 0, offset: 0 });
  });

  test("a fetch offset", async () => {
    const { topicId } = await trap.newTopic();
    const wanted = { partition: 0, fetchOffset: MARKER, partitionMaxBytes: 1000 };
    const topics = [{ topicId, partitions: [wanted] }];
    const frame = requestBytes(fetchApi, 13, { maxWaitMs: 0, minBytes: 0, topics });
    const raw = await openRaw(trap.port);
    const answer = await raw.sendFrame(patchInt64(frame, MARKER, (1n << 53n) + 1n));
    raw.close();
    const [partition] = readAnswer(fetchApi, 13, answer).responses[0]?.partitions ?? [];
    expect(partition?.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
  });

  test("producer ids that a float cannot tell apart are not one producer", async () => {
    const { name } = await trap.newTopic();
    const batchOf = (producerId: bigint) => {
      const identity = { producerId: MARKER, producerEpoch: 0, baseSequence: 0 };
      return withCrc(patchInt64(encodeBatch([recordOf("x", 5)], identity), MARKER, producerId));
    };
    const offsets: number[] = [];
    for (const producerId of [(1n << 53n) + 1n, (1n << 53n) + 2n, LONG_MAX - 1n, LONG_MAX]) {
      const { errorCode, baseOffset } = await trap.produce(name, batchOf(producerId));
      // To refuse such an id is fine too; to take the second for a repetition is not.
      if (errorCode === ErrorCode.NONE) offsets.push(baseOffset);
      else expect(errorCode).toBe(ErrorCode.INVALID_RECORD);
    }
    expect(offsets).toEqual(offsets.map((_, index) => index));
  });
});

describe("trap 9: fetches give whole batches, and at least one", () => {
  const batchOf = (count: number, bytes: number) =>
    encodeBatch(Array.from({ length: count }, (_, index) => recordOf(`${index}`.padEnd(bytes))));

  test("from the middle of a batch, with limits far below its size", async () => {
    const { name } = await trap.newTopic();
    const first = batchOf(10, 100);
    await trap.produce(name, first);
    await trap.produce(name, batchOf(10, 100));
    const [tight] = await trap.fetch(name, [{ fetchOffset: 7, partitionMaxBytes: 1 }]);
    const batches = decodeBatches(tight?.bytes as Uint8Array);
    expect(batches.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])).toEqual([[0, 9]]);
    const [tighter] = await trap.fetch(name, [{ fetchOffset: 12, partitionMaxBytes: 1 }], 1);
    expect(decodeBatches(tighter?.bytes as Uint8Array)[0]?.baseOffset).toBe(10);
    expect(tighter?.bytes.length).toBe(first.length);
  });

  test("of several partitions the first with data gives a batch, the others what is left", async () => {
    const { name } = await trap.newTopic(3);
    const batch = batchOf(10, 100);
    await trap.produce(name, batch, 1);
    await trap.produce(name, batch, 2);
    const all = [0, 1, 2].map((partition) => ({ partition, fetchOffset: 0 }));
    const lengths = (partitions: Awaited<ReturnType<TrapBroker["fetch"]>>) =>
      partitions.map(({ bytes }) => bytes.length);
    expect(lengths(await trap.fetch(name, all, 1))).toEqual([0, batch.length, 0]);
    expect(lengths(await trap.fetch(name, all.toReversed(), 1))).toEqual([batch.length, 0, 0]);
    expect(lengths(await trap.fetch(name, all))).toEqual([0, batch.length, batch.length]);
  });
});

test("trap 10: a repeated idempotent batch is a success, at its old offset and time", async () => {
  const { name } = await trap.newTopic(1, { "message.timestamp.type": "LogAppendTime" });
  const batchOf = (baseSequence: number) =>
    encodeBatch([recordOf("a"), recordOf("b")], {
      producerId: 4711,
      producerEpoch: 0,
      baseSequence,
    });
  const answers = [];
  for (const sequence of [0, 2, 4, 6, 8]) answers.push(await trap.produce(name, batchOf(sequence)));
  expect(answers.map(({ baseOffset }) => baseOffset)).toEqual([0, 2, 4, 6, 8]);
  for (const [index, sequence] of [0, 2, 4, 6, 8].entries()) {
    const { baseOffset, logAppendTimeMs } = answers[index] as (typeof answers)[number];
    const old = { errorCode: ErrorCode.NONE, baseOffset, logAppendTimeMs };
    expect(await trap.produce(name, batchOf(sequence))).toMatchObject(old);
  }
  const gap = await trap.produce(name, batchOf(12));
  expect(gap).toMatchObject({ errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 });
  expect((await readBatches(trap.connection, name)).length).toBe(5);
});

describe("trap 16: one codec, several forms", () => {
  const records = Array.from({ length: 20 }, (_, index) => recordOf(`value ${index}`, 1000));
  const plain = plainPayload(records);
  const { SNAPPY, LZ4, ZSTD } = CompressionType;
  const forms: readonly (readonly [string, number, Uint8Array])[] = [
    ["snappy, bare", SNAPPY, snappyBlock(plain)],
    ["snappy, framed", SNAPPY, xerialSnappy(plain, 32 * 1024)],
    ["snappy, framed, many blocks", SNAPPY, xerialSnappy(plain, 50)],
    ["lz4", LZ4, lz4Frame(plain)],
    ["lz4, content size", LZ4, lz4Frame(plain, { contentSize: true })],
    ["lz4, block checksum", LZ4, lz4Frame(plain, { blockChecksum: true })],
    ["lz4, content checksum", LZ4, lz4Frame(plain, { contentChecksum: true })],
    [
      "lz4, all of them",
      LZ4,
      lz4Frame(plain, { contentSize: true, blockChecksum: true, contentChecksum: true }),
    ],
    ["zstd without its size", ZSTD, zstdWithoutSize(plain)],
    ["zstd with its size", ZSTD, zstdCompressSync(plain)],
  ];
  for (const [form, codec, payload] of forms) {
    test(`${form}: taken, and given back as it came`, async () => {
      const { name } = await trap.newTopic(1, {
        "message.timestamp.before.max.ms": String(LONG_MAX),
      });
      const batch = batchWithPayload(codec, payload, records);
      expect((await trap.produce(name, batch)).errorCode).toBe(ErrorCode.NONE);
      const [stored] = await trap.fetch(name, [{ fetchOffset: 0 }]);
      const kept = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex", BatchField.magic);
      expect(kept(stored?.bytes ?? new Uint8Array(0))).toBe(kept(batch));
      const values = (await readBatches(trap.connection, name)).flatMap((one) =>
        one.records.map(({ value }) => Buffer.from(value as Uint8Array).toString()),
      );
      expect(values).toEqual(records.map((_, index) => `value ${index}`));
    });
  }

  test("what Kafka's readers cannot read is refused", async () => {
    const { name } = await trap.newTopic(1, {
      "message.timestamp.before.max.ms": String(LONG_MAX),
    });
    const refused: readonly (readonly [string, number, Uint8Array])[] = [
      ["dependent lz4 blocks", LZ4, lz4Frame(plain, { dependentBlocks: true })],
      ["zstd under the name of lz4", LZ4, zstdWithoutSize(plain)],
      ["lz4 under the name of zstd", ZSTD, lz4Frame(plain)],
      ["nothing at all", SNAPPY, new Uint8Array(0)],
    ];
    for (const [form, codec, payload] of refused) {
      const { errorCode } = await trap.produce(name, batchWithPayload(codec, payload, records));
      expect(errorCode, form).not.toBe(ErrorCode.NONE);
    }
    const old = batchWithPayload(ZSTD, zstdWithoutSize(plain), records);
    const response = await trap.connection.send(produceApi, 6, {
      ...{ acks: -1, timeoutMs: 1000 },
      topicData: [{ name, partitionData: [{ index: 0, records: old }] }],
    });
    const code = response.responses[0]?.partitionResponses[0]?.errorCode;
    expect(code).toBe(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE);
    expect((await readBatches(trap.connection, name)).length).toBe(0);
  });
});
