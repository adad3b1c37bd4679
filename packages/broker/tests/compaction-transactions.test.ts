import { expect, setDefaultTimeout, test } from "bun:test";
import { Client, type Connection } from "@mantou/client";
import { MemoryDisk, openPortableIo } from "@mantou/io";
import { ErrorCode, encodeBatch, produceApi } from "@mantou/protocol";
import { startInProcess } from "./in-process-broker.ts";
import { TransactionClient, closing, until } from "./transactions/transaction-client.ts";

setDefaultTimeout(60_000);

const utf8 = new TextEncoder();
const text = new TextDecoder();
const settings = { "log.cleaner.backoff.ms": "20" };
const configs = {
  "cleanup.policy": "compact",
  "min.cleanable.dirty.ratio": "0",
  "segment.ms": "1",
};
// Ahead of the markers, which have the broker's time: only records begin segments.
let timestamp = Date.now() + 1_000_000;

/** One record as one batch, of a transaction where `writer` is given. */
async function put(
  connection: Connection,
  [key, value]: readonly [string, string],
  writer: TransactionClient | null,
  baseSequence: number,
): Promise<number> {
  // With segment.ms=1 every batch begins a segment.
  timestamp += 2;
  const { producerId = -1, producerEpoch = -1 } = writer ?? {};
  const ids = { producerId, producerEpoch, baseSequence, transactional: true };
  const record = { key: utf8.encode(key), value: utf8.encode(value), timestamp };
  const answer = await connection.send(produceApi, 11, {
    transactionalId: writer?.transactionalId ?? null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [
      {
        name: "table",
        partitionData: [{ index: 0, records: encodeBatch([record], writer === null ? {} : ids) }],
      },
    ],
  });
  return answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
}

async function consume(
  client: Client,
  end: number,
  isolation: "read_committed" | "read_uncommitted",
): Promise<string[]> {
  const consumer = client.consumer({ maxWaitMs: 20, isolation });
  consumer.assign([{ topic: "table", partition: 0 }]);
  const found: string[] = [];
  await until(`offset ${end}`, async () => {
    for (const { key, value } of await consumer.poll({ timeoutMs: 50 })) {
      found.push(`${text.decode(key as Uint8Array)}=${text.decode(value as Uint8Array)}`);
    }
    return (consumer.position("table", 0) ?? 0) >= end;
  });
  consumer.close();
  return found;
}

test("aborted records go, committed ones are compacted, and sequences go on", async () => {
  const disk = new MemoryDisk();
  const openIo = () => openPortableIo({ disk });
  let broker = await startInProcess(settings, openIo);
  let client = await Client.connect({ brokers: `127.0.0.1:${broker.port}` });
  await client.admin.createTopic({ name: "table", partitions: 1, configs });
  const connection = closing(await broker.connect());
  const writer = new TransactionClient(connection.it, "writer");
  expect(await writer.init()).toBe(ErrorCode.NONE);
  let sequence = 0;
  for (let round = 0; round < 8; round += 1) {
    expect(await writer.add("table", [0])).toBe(ErrorCode.NONE);
    for (const key of ["a", "b"]) {
      const value = round % 2 === 0 ? `${round}` : `aborted ${round}`;
      expect(await put(connection.it, [key, value], writer, sequence++)).toBe(ErrorCode.NONE);
    }
    expect(await writer.end(round % 2 === 0)).toBe(ErrorCode.NONE);
  }
  // Markers are written behind the answer; then something begins the last segment.
  const endOf = async (isolation: "read_committed" | "read_uncommitted"): Promise<number> =>
    (await client.admin.listOffset("table", 0, "latest", isolation)).offset;
  await until("the markers", async () => (await endOf("read_committed")) === 24);
  expect(await put(connection.it, ["last", "x"], null, 0)).toBe(ErrorCode.NONE);
  const expected = ["a=6", "b=6", "last=x"];
  const isClean = async (isolation: "read_committed" | "read_uncommitted"): Promise<boolean> =>
    (await consume(client, 25, isolation)).join() === expected.join();
  await until("nothing but the newest", () => isClean("read_uncommitted"));
  expect(await consume(client, 25, "read_committed")).toEqual(expected);

  // An open transaction holds the cleaner back, and is not touched.
  expect(await writer.add("table", [0])).toBe(ErrorCode.NONE);
  expect(await put(connection.it, ["a", "open"], writer, sequence++)).toBe(ErrorCode.NONE);
  expect(await put(connection.it, ["last", "y"], null, 0)).toBe(ErrorCode.NONE);
  expect(await put(connection.it, ["last", "z"], null, 0)).toBe(ErrorCode.NONE);
  expect(await consume(client, 25, "read_committed")).toEqual(expected);
  await connection[Symbol.asyncDispose]();
  client.abort();
  await broker[Symbol.asyncDispose]();
  expect(broker.log.filter((line) => line.includes("fatal"))).toEqual([]);

  broker = await startInProcess(settings, openIo);
  client = await Client.connect({ brokers: `127.0.0.1:${broker.port}` });
  await using again = closing(await broker.connect());
  const next = new TransactionClient(again.it, "writer");
  next.producerId = writer.producerId;
  next.producerEpoch = writer.producerEpoch;
  // The sequence goes on where it was: the partition knows its producers from what is left.
  expect(await put(again.it, ["b", "open"], next, sequence)).toBe(ErrorCode.NONE);
  expect(await next.end(false)).toBe(ErrorCode.NONE);
  await until("the marker", async () => (await endOf("read_committed")) === 30);
  expect(await put(again.it, ["end", "!"], null, 0)).toBe(ErrorCode.NONE);
  const left = ["a=6", "b=6", "last=z", "end=!"];
  await until("what was open to go", async () => {
    const found = await consume(client, 31, "read_uncommitted");
    return found.join() === left.join();
  });
  expect(await consume(client, 31, "read_committed")).toEqual(left);
  client.abort();
  await broker[Symbol.asyncDispose]();
  expect(broker.log.filter((line) => line.includes("fatal"))).toEqual([]);
});
