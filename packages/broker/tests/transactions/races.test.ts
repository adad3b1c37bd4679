import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { MemoryDisk, openPortableIo } from "@mantou/io";
import {
  ErrorCode,
  addPartitionsToTxnApi,
  describeProducersApi,
  describeTransactionsApi,
  endTxnApi,
  fetchApi,
  listTransactionsApi,
  offsetFetchApi,
  writeTxnMarkersApi,
} from "@mantou/protocol";
import { startInProcess } from "../in-process-broker.ts";
import {
  TransactionClient,
  closing,
  createTopic,
  fatalLines,
  latest,
  patiently,
  read,
  until,
} from "./transaction-client.ts";

setDefaultTimeout(60_000);

describe("a partition takes only what belongs to a transaction", () => {
  test("the old flow: not before the partition was added, not after the end", async () => {
    await using broker = await startInProcess();
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t", 2);
    const client = new TransactionClient(connection.it, "id", "old");
    await client.init();
    expect((await client.send("t", 0, ["a"], 0, 11)).errorCode).toBe(
      ErrorCode.TRANSACTION_ABORTABLE,
    );
    expect((await client.send("t", 0, ["a"], 0, 10)).errorCode).toBe(ErrorCode.INVALID_TXN_STATE);
    await client.add("t", [0]);
    expect((await client.send("t", 1, ["a"], 0, 10)).errorCode).toBe(ErrorCode.INVALID_TXN_STATE);
    expect(await client.write("t", 0, ["a"])).toBe(ErrorCode.NONE);
    await client.end(true);
    await until("committed", async () => (await latest(connection.it, "t", 1)) === 2);
    // What comes late must not begin a transaction that nobody ends.
    expect((await client.send("t", 0, ["late"], 1, 10)).errorCode).toBe(
      ErrorCode.INVALID_TXN_STATE,
    );
    expect(await latest(connection.it, "t", 0)).toBe(2);
  });

  test("without verification the old flow is taken at its word", async () => {
    await using broker = await startInProcess({
      "transaction.partition.verification.enable": "false",
    });
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    const client = new TransactionClient(connection.it, "id", "old");
    await client.init();
    expect((await client.send("t", 0, ["a"], 0, 10)).errorCode).toBe(ErrorCode.NONE);
  });

  test("a fenced producer is refused by its epoch, in both flows", async () => {
    for (const flow of ["old", "new"] as const) {
      await using broker = await startInProcess();
      await using connection = closing(await broker.connect());
      await createTopic(connection.it, "t", 2);
      const zombie = new TransactionClient(connection.it, "id", flow);
      await zombie.init();
      if (flow === "old") await zombie.add("t", [0]);
      await zombie.write("t", 0, ["aborted"]);
      const client = new TransactionClient(connection.it, "id", flow);
      expect(await client.init()).toBe(ErrorCode.NONE);
      expect(await zombie.write("t", 0, ["late"])).toBe(ErrorCode.INVALID_PRODUCER_EPOCH);
      expect(await zombie.write("t", 1, ["late"])).toBe(ErrorCode.INVALID_PRODUCER_EPOCH);
      expect(await zombie.end(true)).toBe(ErrorCode.PRODUCER_FENCED);
      if (flow === "old") await client.add("t", [0]);
      expect(await client.write("t", 0, ["committed"])).toBe(ErrorCode.NONE);
      expect(await client.end(true)).toBe(ErrorCode.NONE);
      await until("committed", async () => (await latest(connection.it, "t", 1)) === 4);
      expect((await read(connection.it, "t", 0, 1)).values).toEqual(["committed"]);
    }
  });

  test("old versions know a fenced producer by its epoch only", async () => {
    await using broker = await startInProcess();
    await using connection = closing(await broker.connect());
    const zombie = new TransactionClient(connection.it, "id");
    await zombie.init();
    await new TransactionClient(connection.it, "id").init();
    const { producerEpoch, producerId } = zombie;
    const ids = { transactionalId: "id", producerId, producerEpoch };
    const code = async (version: number): Promise<number> =>
      (await connection.it.send(endTxnApi, version, { ...ids, committed: true })).errorCode;
    expect(await code(1)).toBe(ErrorCode.INVALID_PRODUCER_EPOCH);
    expect(await code(2)).toBe(ErrorCode.PRODUCER_FENCED);
  });
});

test("requests that are sent without waiting are taken in their order", async () => {
  await using broker = await startInProcess();
  await using connection = closing(await broker.connect());
  await createTopic(connection.it, "t");
  const client = new TransactionClient(connection.it, "id", "new");
  await client.init();
  const values = Array.from({ length: 40 }, (_, index) => `v${index}`);
  const sent = await Promise.all(
    values.map((value, index) => client.send("t", 0, [value], index, 12)),
  );
  expect(sent.map(({ errorCode }) => errorCode)).toEqual(values.map(() => ErrorCode.NONE));
  expect(sent.map(({ baseOffset }) => baseOffset)).toEqual(values.map((_, index) => index));
  expect(await client.end(true)).toBe(ErrorCode.NONE);
  await until("committed", async () => (await latest(connection.it, "t", 1)) === 41);
  expect((await read(connection.it, "t", 0, 1)).values).toEqual(values);
});

test("offsets of a transaction count once it is committed", async () => {
  for (const flow of ["old", "new"] as const) {
    await using broker = await startInProcess();
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    const client = new TransactionClient(connection.it, "id", flow);
    await client.init();
    const fetched = async (requireStable: boolean) => {
      const answer = await patiently(
        () =>
          connection.it.send(offsetFetchApi, 8, {
            groups: [{ groupId: "g", topics: [{ name: "t", partitionIndexes: [0] }] }],
            requireStable,
          }),
        (sent) => sent.groups[0]?.errorCode ?? -1,
      );
      const found = answer.groups[0]?.topics[0]?.partitions[0];
      return found?.errorCode === ErrorCode.NONE ? found.committedOffset : found?.errorCode;
    };
    expect(await client.commitOffset("g", "t", 0, 10)).toBe(ErrorCode.NONE);
    expect(await fetched(true)).toBe(ErrorCode.UNSTABLE_OFFSET_COMMIT);
    expect(await fetched(false)).toBe(-1);
    expect(await client.end(true)).toBe(ErrorCode.NONE);
    await until("committed", async () => (await fetched(true)) === 10);
    expect(await client.commitOffset("g", "t", 0, 20)).toBe(ErrorCode.NONE);
    expect(await client.end(false)).toBe(ErrorCode.NONE);
    await until("aborted", async () => (await fetched(true)) === 10);
    expect(await client.commitOffset("g", "t", 0, 30)).toBe(ErrorCode.NONE);
    expect(await client.end(true)).toBe(ErrorCode.NONE);
    await until("committed", async () => (await fetched(true)) === 30);
    expect(fatalLines(broker)).toEqual([]);
  }
});

test("offsets outside of the transaction are refused", async () => {
  await using broker = await startInProcess();
  await using connection = closing(await broker.connect());
  const client = new TransactionClient(connection.it, "id", "old");
  await client.init();
  expect(await client.commitOffset("g", "t", 0, 1)).not.toBe(ErrorCode.INVALID_TXN_STATE);
  await client.end(false);
  const late = new TransactionClient(connection.it, "id", "new");
  expect(await late.commitOffset("g", "t", 0, 1)).toBe(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
});

test("everything outlives a restart: open, decided and ended transactions", async () => {
  const disk = new MemoryDisk();
  const openIo = () => openPortableIo({ disk });
  let ids = { producerId: -1, producerEpoch: -1 };
  {
    await using broker = await startInProcess({}, openIo);
    await using connection = closing(await broker.connect());
    await createTopic(connection.it, "t");
    const client = new TransactionClient(connection.it, "id", "old");
    await client.init();
    await client.add("t", [0]);
    await client.write("t", 0, ["aborted"]);
    await client.end(false);
    await until("aborted", async () => (await latest(connection.it, "t", 1)) === 2);
    await client.add("t", [0]);
    await client.write("t", 0, ["open"]);
    ids = { producerId: client.producerId, producerEpoch: client.producerEpoch };
  }
  await using broker = await startInProcess({}, openIo);
  await using connection = closing(await broker.connect());
  expect(await latest(connection.it, "t", 1)).toBe(2);
  expect((await read(connection.it, "t", 0, 1)).values).toEqual([]);
  const client = new TransactionClient(connection.it, "id", "old");
  Object.assign(client, ids);
  expect(await client.end(true)).toBe(ErrorCode.NONE);
  await until("committed", async () => (await latest(connection.it, "t", 1)) === 4);
  expect((await read(connection.it, "t", 0, 1)).values).toEqual(["open"]);
  expect(fatalLines(broker)).toEqual([]);
});

test("an idle transaction is aborted when its time is over", async () => {
  await using broker = await startInProcess({
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "20",
  });
  await using connection = closing(await broker.connect());
  await createTopic(connection.it, "t");
  const client = new TransactionClient(connection.it, "id", "new");
  await client.init(50);
  expect(await client.write("t", 0, ["a"])).toBe(ErrorCode.NONE);
  await until("aborted", async () => (await latest(connection.it, "t", 1)) === 2);
  expect(await client.end(true)).toBe(ErrorCode.PRODUCER_FENCED);
  expect((await read(connection.it, "t", 0, 1)).values).toEqual([]);
});

test("what is under way is described and listed, and a hanging one can be aborted", async () => {
  await using broker = await startInProcess();
  await using connection = closing(await broker.connect());
  await createTopic(connection.it, "t");
  const client = new TransactionClient(connection.it, "id", "new");
  await client.init();
  await client.write("t", 0, ["a"]);
  const described = await connection.it.send(describeTransactionsApi, 0, {
    transactionalIds: ["id", "none", ""],
  });
  expect(described.transactionStates).toMatchObject([
    { errorCode: 0, transactionState: "Ongoing", topics: [{ topic: "t", partitions: [0] }] },
    { errorCode: ErrorCode.TRANSACTIONAL_ID_NOT_FOUND },
    { errorCode: ErrorCode.INVALID_REQUEST },
  ]);
  const list = async (filters: object, version = 2) =>
    connection.it.send(listTransactionsApi, version, {
      stateFilters: [],
      producerIdFilters: [],
      ...filters,
    });
  const ids = ({ transactionStates }: Awaited<ReturnType<typeof list>>): string[] =>
    transactionStates.map(({ transactionalId }) => transactionalId);
  expect(ids(await list({}))).toEqual(["id"]);
  expect(ids(await list({ stateFilters: ["Empty"] }))).toEqual([]);
  expect(ids(await list({ producerIdFilters: [client.producerId] }))).toEqual(["id"]);
  expect(ids(await list({ durationFilter: 3_600_000 }))).toEqual([]);
  expect(ids(await list({ transactionalIdPattern: "i.*" }))).toEqual(["id"]);
  expect(ids(await list({ transactionalIdPattern: "i" }))).toEqual([]);
  expect(await list({ stateFilters: ["Nonsense"] })).toMatchObject({
    unknownStateFilters: ["Nonsense"],
    transactionStates: [],
  });
  expect((await list({ transactionalIdPattern: "(" })).errorCode).toBe(
    ErrorCode.INVALID_REGULAR_EXPRESSION,
  );
  const producers = await connection.it.send(describeProducersApi, 0, {
    topics: [{ name: "t", partitionIndexes: [0] }],
  });
  expect(producers.topics[0]?.partitions[0]?.activeProducers).toMatchObject([
    { producerId: client.producerId, producerEpoch: 0, currentTxnStartOffset: 0 },
  ]);
  const marked = await connection.it.send(writeTxnMarkersApi, 1, {
    markers: [
      {
        producerId: client.producerId,
        producerEpoch: 0,
        transactionResult: false,
        topics: [{ name: "t", partitionIndexes: [0, 9] }],
        coordinatorEpoch: 0,
      },
    ],
  });
  expect(marked.markers[0]?.topics[0]?.partitions).toEqual([
    { partitionIndex: 0, errorCode: ErrorCode.NONE },
    { partitionIndex: 9, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  ]);
  expect(await latest(connection.it, "t", 1)).toBe(2);
  expect((await read(connection.it, "t", 0, 1)).values).toEqual([]);
});

test("one unknown partition, and none is added; foreign ids are told so", async () => {
  await using broker = await startInProcess();
  await using connection = closing(await broker.connect());
  await createTopic(connection.it, "t");
  const client = new TransactionClient(connection.it, "id", "old");
  await client.init();
  const answer = await connection.it.send(addPartitionsToTxnApi, 3, {
    v3AndBelowTransactionalId: "id",
    v3AndBelowProducerId: client.producerId,
    v3AndBelowProducerEpoch: client.producerEpoch,
    v3AndBelowTopics: [
      { name: "t", partitions: [0] },
      { name: "none", partitions: [0] },
    ],
  });
  expect(answer.resultsByTopicV3AndBelow).toMatchObject([
    { resultsByPartition: [{ partitionErrorCode: ErrorCode.OPERATION_NOT_ATTEMPTED }] },
    { resultsByPartition: [{ partitionErrorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }] },
  ]);
  const ids = { producerId: client.producerId, producerEpoch: client.producerEpoch };
  const topics = [{ name: "t", partitions: [0] }];
  const batched = await connection.it.send(addPartitionsToTxnApi, 4, {
    transactions: [
      { transactionalId: "id", ...ids, verifyOnly: true, topics },
      { transactionalId: "other", ...ids, verifyOnly: true, topics },
    ],
  });
  const codes = batched.resultsByTransaction.map(
    ({ topicResults }) => topicResults[0]?.resultsByPartition[0]?.partitionErrorCode,
  );
  expect(codes).toEqual([
    ErrorCode.INVALID_TXN_STATE,
    ErrorCode.INVALID_PRODUCER_ID_MAPPING,
  ] as typeof codes);
});

test("a parked read_committed fetch wakes when the transaction ends", async () => {
  await using broker = await startInProcess();
  await using connection = closing(await broker.connect());
  await using reader = closing(await broker.connect());
  await createTopic(connection.it, "t");
  const client = new TransactionClient(connection.it, "id", "new");
  await client.init();
  await client.write("t", 0, ["a"]);
  let isDone = false;
  const fetched = readParked(reader.it).finally(() => {
    isDone = true;
  });
  expect((await read(connection.it, "t", 0, 0)).values).toEqual(["a"]);
  expect(isDone).toBe(false);
  await client.end(true);
  expect(await fetched).toBeGreaterThan(0);
});

async function readParked(connection: Parameters<typeof read>[0]): Promise<number> {
  const answer = await connection.send(fetchApi, 12, {
    maxWaitMs: 30_000,
    minBytes: 1,
    isolationLevel: 1,
    topics: [
      { topic: "t", partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 9999 }] },
    ],
  });
  const records = answer.responses[0]?.partitions[0]?.records;
  return records !== null && records !== undefined && "offset" in records ? records.length : 0;
}
