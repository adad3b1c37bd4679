import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type LogId, logId } from "@mantou/base";
import type { Arena } from "@mantou/io";
import type { ProduceRequest } from "@mantou/protocol";
import { ErrorCode, encodeBatch } from "@mantou/protocol";
import { ProducerStates } from "@mantou/replication";
import type { TransactionCommand, TransactionReply } from "@mantou/transactions";
import type { Call } from "../../src/handler.ts";
import type { TransactionCoordinator } from "../../src/transactions/transaction-coordinator.ts";
import type { Verification } from "../../src/transactions/transaction-gate.ts";
import { TransactionGate } from "../../src/transactions/transaction-gate.ts";

setDefaultTimeout(60_000);

const bytes = new Uint8Array(4096);
let used = 0;
let producers: ProducerStates;
let asked: { command: TransactionCommand; settle: (code: number, reply: unknown) => void }[] = [];
let resumed: { sequence: number; verification: Verification }[] = [];
let gate: TransactionGate;
let verifies = true;
let accepts = true;

beforeEach(() => {
  used = 0;
  asked = [];
  resumed = [];
  verifies = true;
  accepts = true;
  producers = new ProducerStates({
    producersPerPartitionMax: 9,
    producersMax: 9,
    producerIdExpirationMs: 1e9,
  });
  const coordinator = {
    ask: (
      _id: string,
      command: TransactionCommand,
      settle: (code: number, reply: unknown) => void,
    ) => void asked.push({ command, settle }),
  } as unknown as TransactionCoordinator;
  gate = new TransactionGate({
    arena: { view: new DataView(bytes.buffer) } as unknown as Arena,
    producers,
    coordinator: () => coordinator,
    resolve: (_topic, _usesId, partition) => ({ logId: logId(partition + 1) }),
    topicOf: () => "t",
    verifies: () => verifies,
    storeAccepts: () => accepts,
    resume: ({ call }, verification) => resumed.push({ sequence: call.sequence, verification }),
    flushSoon: () => {},
  });
});

const call = (sequence: number, version = 12, connection = 1): Call =>
  ({ connection, generation: 1, sequence, version, clientId: "" }) as Call;

/** A request with one batch for each partition, in an arena. */
function request(
  partitions: readonly number[],
  transactionalId: string | null = "id",
  producerId = 7,
): ProduceRequest {
  const ids = { producerId, producerEpoch: 0, baseSequence: 0 };
  const partitionData = partitions.map((index) => {
    const batch = encodeBatch([{ value: Uint8Array.of(1) }], {
      ...ids,
      transactional: transactionalId !== null,
    });
    const offset = used;
    bytes.set(batch, used);
    used += batch.length;
    return { index, records: { offset, length: batch.length } };
  });
  return {
    transactionalId,
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name: "t", topicId: "AAAAAAAAAAAAAAAAAAAAAA", partitionData }],
  } as unknown as ProduceRequest;
}

const done: TransactionReply = {
  kind: "partitions",
  errorCode: ErrorCode.NONE,
  refused: [],
  refusedCode: ErrorCode.NONE,
};
const sequences = (): number[] => resumed.map(({ sequence }) => sequence);
const inTransaction = (log: LogId): void => producers.record(log, 7, 0, 0, 0, 0, 1, 0, true);

describe("what is held", () => {
  test("a request without a transaction goes on at once, unless it has to wait its turn", () => {
    expect(gate.admits(call(0), request([0], null), 0)).toBe(true);
    expect(gate.admits(call(1), request([0]), 0)).toBe(false);
    expect(gate.admits(call(2), request([1], null), 0)).toBe(false);
    expect(gate.admits(call(3, 12, 2), request([1], null), 0)).toBe(true);
    asked[0]?.settle(ErrorCode.NONE, done);
    expect(sequences()).toEqual([1, 2]);
    expect(gate.admits(call(4), request([0], null), 0)).toBe(true);
  });

  test("only partitions without an open transaction are asked for", () => {
    inTransaction(logId(1));
    expect(gate.admits(call(0), request([0]), 0)).toBe(true);
    expect(gate.admits(call(1), request([0, 1, 2]), 0)).toBe(false);
    expect(asked[0]?.command).toMatchObject({
      kind: "addPartitions",
      producerId: 7,
      topics: [{ topic: "t", partitions: [1, 2] }],
      clientVersion: 2,
    });
    asked[0]?.settle(ErrorCode.NONE, done);
    expect([...(resumed[0]?.verification.verified ?? [])]).toEqual([2, 3]);
  });

  test("each request that needs it is verified in its turn", () => {
    for (const sequence of [0, 1, 2]) gate.admits(call(sequence), request([sequence]), 0);
    expect(asked.length).toBe(1);
    asked[0]?.settle(ErrorCode.NONE, done);
    expect(sequences()).toEqual([0]);
    expect(asked.length).toBe(2);
    inTransaction(logId(3));
    asked[1]?.settle(ErrorCode.NONE, done);
    expect(sequences()).toEqual([0, 1, 2]);
    expect(asked.length).toBe(2);
  });

  test("nobody is asked in the old flow where verification is off", () => {
    verifies = false;
    expect(gate.admits(call(0, 11), request([0]), 0)).toBe(true);
    expect(gate.admits(call(1, 12), request([0]), 0)).toBe(false);
  });

  test("nobody is asked while the disk takes no records", () => {
    accepts = false;
    expect(gate.admits(call(0), request([0]), 0)).toBe(true);
  });

  test("batches of two producers in one request belong to no transaction", () => {
    const mixed = request([0]);
    mixed.topicData[0]?.partitionData.push(
      ...(request([1], "id", 8).topicData[0]?.partitionData ?? []),
    );
    expect(gate.admits(call(0), mixed, 0)).toBe(false);
    expect([...(resumed[0]?.verification.refused.values() ?? [])]).toEqual([
      ErrorCode.INVALID_PRODUCER_ID_MAPPING,
      ErrorCode.INVALID_PRODUCER_ID_MAPPING,
    ]);
  });
});

describe("the coordinator's word in that of each version", () => {
  const { NONE } = ErrorCode;
  const cases: readonly (readonly [version: number, code: number, errorCode: number])[] = [
    [11, ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH],
    [12, ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH],
    [11, ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.NOT_ENOUGH_REPLICAS],
    [12, ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.CONCURRENT_TRANSACTIONS],
    [12, ErrorCode.INVALID_PRODUCER_ID_MAPPING, ErrorCode.INVALID_PRODUCER_ID_MAPPING],
  ];
  for (const [version, code, errorCode] of cases) {
    test(`version ${version}: ${code} becomes ${errorCode}`, () => {
      gate.admits(call(0, version), request([0]), 0);
      asked[0]?.settle(NONE, { ...done, errorCode: code });
      expect([...(resumed[0]?.verification.refused.values() ?? [])]).toEqual([
        errorCode,
      ] as ErrorCode[]);
    });
  }

  test("a partition that is not in the transaction", () => {
    for (const [version, errorCode] of [
      [10, ErrorCode.INVALID_TXN_STATE],
      [11, ErrorCode.TRANSACTION_ABORTABLE],
    ] as const) {
      gate.admits(call(0, version, version), request([0, 1]), 0);
      const refused = [{ topic: "t", partitions: [1] }];
      const reply = { ...done, refused, refusedCode: ErrorCode.TRANSACTION_ABORTABLE };
      asked.pop()?.settle(NONE, reply);
      const { verification } = resumed.pop() as (typeof resumed)[number];
      expect([...verification.verified]).toEqual([1]);
      expect([...verification.refused]).toEqual([[2, errorCode]]);
    }
  });

  test("a coordinator that is not there is asked again by the client", () => {
    gate.admits(call(0), request([0]), 0);
    asked[0]?.settle(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, null);
    expect([...(resumed[0]?.verification.refused.values() ?? [])]).toEqual([
      ErrorCode.NOT_ENOUGH_REPLICAS,
    ]);
  });
});
