import { beforeEach, expect, test } from "bun:test";
import { ZERO_UUID, logId } from "@mantou/base";
import type { Millis } from "@mantou/base";
import { Locate, LocateCode, type LogStore, type Network, type Table } from "@mantou/io";
import type { FetchRequest, FetchResponseInput } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import { PartitionTable, ProducerStates } from "@mantou/replication";
import { FetchPlanner } from "../src/fetch/fetch-planner.ts";
import { FetchSessions } from "../src/fetch/fetch-sessions.ts";
import { FetchSet } from "../src/fetch/fetch-set.ts";
import { ParkingLot } from "../src/fetch/parking-lot.ts";
import type { Call } from "../src/handler.ts";
import { FetchStage } from "../src/handlers/fetch.ts";
import { ANSWER_BYTES_MAX, PARKED_PARTITIONS_MAX } from "../src/limits.ts";
import { PlanWriter } from "../src/plan-writer.ts";

const producers = new ProducerStates({
  producersPerPartitionMax: 9,
  producersMax: 9,
  producerIdExpirationMs: 9,
});

const log = logId(1);
const FULL = 0;
const LATE_MS = 1_000_000;

let nowMs: number;
let bytesMax: number;
let isOpen: boolean;
let tags: number[];
let released: number[];
let answers: { sequence: number; response: FetchResponseInput }[];
let partitions: PartitionTable;
let lot: ParkingLot;
let stage: FetchStage;

/** A fetch stage over one partition with a hundred records, whose disk answers when told to. */
beforeEach(() => {
  nowMs = 0;
  bytesMax = 1_000_000;
  isOpen = true;
  tags = [];
  released = [];
  answers = [];
  partitions = new PartitionTable(1);
  const state = { leader: true, leaderEpoch: 0, corruptFromOffset: null };
  partitions.opened(log, { ...state, startOffset: 0, endOffset: 100 });
  const logs = {
    locate(table: Table, rows: number) {
      for (let row = 0; row < rows; row += 1) {
        tags.push(table.word(row, Locate.tag));
        table.setWord(row, Locate.code, LocateCode.PENDING);
      }
    },
  } as unknown as LogStore;
  lot = new ParkingLot();
  const writer = new PlanWriter({ submit() {} } as unknown as Network);
  writer.releasePin = (pin) => void released.push(pin);
  stage = new FetchStage({
    partitions,
    producers,
    // Two partitions to a session.
    sessions: new FetchSessions(lot, 1, 1_000_000),
    planner: new FetchPlanner(partitions, producers, logs, () => ({ logId: log }), lot, writer),
    lot,
    writer,
    clock: { wallMs: () => 0 as Millis, monotonicMs: () => nowMs },
    bytesMax: () => bytesMax,
    answer: ({ sequence }, response) => void answers.push({ sequence, response }),
    isConnected: () => isOpen,
  });
});

const call = (sequence: number): Call => ({
  connection: 1,
  generation: 1,
  sequence,
  apiKey: 1,
  version: 12,
  correlationId: sequence,
  clientId: "",
  listenerId: 0,
});

function fetch(sequence: number, sessionId: number, epoch: number, partitionIds: number[]): void {
  const partition = { currentLeaderEpoch: -1, lastFetchedEpoch: -1, partitionMaxBytes: 1000 };
  stage.take(call(sequence), {
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    maxWaitMs: LATE_MS,
    minBytes: 1000,
    maxBytes: 1_000_000,
    isolationLevel: 0,
    sessionId,
    sessionEpoch: epoch,
    topics: [
      {
        topic: "t",
        topicId: ZERO_UUID,
        partitions: partitionIds.map((id) => ({ ...partition, partition: id, fetchOffset: 0 })),
      },
    ],
    forgottenTopicsData: [],
  } as unknown as FetchRequest);
}

/** The disk has found ten bytes for the request that asked at this place. */
const found = (index: number): void => stage.located(tags[index] as number, 0, index + 1, 0, 10);

/** Opens a session on partition 0 and gives its id. */
function openSession(): number {
  fetch(0, 0, FULL, [0]);
  nowMs = LATE_MS;
  found(0);
  nowMs = 0;
  const { sessionId } = answers[0]?.response ?? {};
  expect(sessionId).toBeGreaterThan(0);
  return sessionId as number;
}

test("a fetch is answered with what it has when its session goes on while a disk works", () => {
  const sessionId = openSession();
  fetch(1, sessionId, 1, [0]);
  fetch(2, sessionId, 2, [0]);
  found(1);
  // Ten bytes are not enough for it, but only the last request of a session can wait.
  expect(answers.map((each) => each.sequence)).toEqual([0, 1]);
  found(2);
  expect(lot.parked).toBe(1);
  nowMs = LATE_MS;
  stage.expire(nowMs);
  found(3);
  expect(answers.map((each) => each.sequence)).toEqual([0, 1, 2]);
  expect(lot.parked).toBe(0);
});

test("a session that is closed while a disk works leaves nobody waiting", () => {
  const sessionId = openSession();
  fetch(1, sessionId, 1, [0]);
  fetch(2, sessionId, -1, [0]);
  found(1);
  expect(answers.map((each) => each.sequence)).toEqual([0, 1]);
});

test("a connection that closes while a disk works leaves nothing behind", () => {
  fetch(0, 0, -1, [0]);
  isOpen = false;
  stage.forgetConnection(1, 1);
  found(0);
  expect(answers).toEqual([]);
  expect(lot.parked).toBe(0);
  expect(released).toEqual([1]);
});

test("a session cannot grow beyond its share; the client begins anew without one", () => {
  const sessionId = openSession();
  fetch(1, sessionId, 1, [1, 2]);
  expect(answers[1]?.response.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
  fetch(2, sessionId, 2, []);
  expect(answers[2]?.response.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
});

test("no setting makes an answer too long for its size prefix", () => {
  bytesMax = 2 ** 31 - 1;
  expect(stage.clampBytes(2 ** 31 - 1)).toBeLessThanOrEqual(2 ** 31 - 1 - ANSWER_BYTES_MAX);
  bytesMax = 5000;
  expect(stage.clampBytes(2 ** 31 - 1)).toBe(5000);
});

test("partitions that wait without a session are bounded", () => {
  const task = (rows: number) => {
    const set = new FetchSet(false, false);
    set.rows = rows;
    return { call: call(0), set, deadlineMs: 0 } as unknown as Parameters<ParkingLot["park"]>[0];
  };
  const first = task(PARKED_PARTITIONS_MAX - 1);
  expect(lot.park(first)).toBe(true);
  expect(lot.park(task(2))).toBe(false);
  lot.unpark(first.set);
  expect(lot.park(task(2))).toBe(true);
});
