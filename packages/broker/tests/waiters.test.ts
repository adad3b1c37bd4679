import { expect, test } from "bun:test";
import { logId } from "@mantou/base";
import type { PartitionAnswer, PendingProduce } from "../src/produce/pending-produce.ts";
import { Waiters } from "../src/produce/waiters.ts";

function pendingProduce(): PendingProduce {
  return {
    call: {
      connection: 0,
      generation: 0,
      sequence: 0,
      apiKey: 0,
      version: 9,
      correlationId: 0,
      clientId: "",
      listenerId: 0,
    },
    acks: -1,
    response: { responses: [], throttleTimeMs: 0, nodeEndpoints: [] },
    transactionalId: null,
    verified: null,
    deadlineMs: 0,
    slot: -1,
    waiting: 0,
    done: false,
    failed: false,
  };
}

const answer = (index: number): PartitionAnswer => ({
  index,
  errorCode: 0,
  baseOffset: 0,
  logAppendTimeMs: -1,
  logStartOffset: 0,
  recordErrors: [],
  errorMessage: null,
  currentLeader: { leaderId: -1, leaderEpoch: -1 },
});

test("a request settles when the last of its batches has been reached", () => {
  const waiters = new Waiters();
  const request = pendingProduce();
  waiters.add(logId(1), 10, request, answer(0));
  waiters.add(logId(2), 5, request, answer(1));
  const settled: PendingProduce[] = [];
  waiters.reached(logId(1), 9, settled);
  waiters.reached(logId(2), 5, settled);
  expect(settled).toEqual([]);
  waiters.reached(logId(1), 10, settled);
  expect(settled).toEqual([request]);
});

test("batches of one log settle in order, each exactly once", () => {
  const waiters = new Waiters();
  const requests = Array.from({ length: 5000 }, pendingProduce);
  for (const [index, request] of requests.entries()) {
    waiters.add(logId(3), index + 1, request, answer(0));
  }
  const settled: PendingProduce[] = [];
  waiters.reached(logId(3), 1234, settled);
  expect(settled.length).toBe(1234);
  expect(settled[1233]).toBe(requests[1233] as PendingProduce);
  waiters.reached(logId(3), 1234, settled);
  expect(settled.length).toBe(1234);
  waiters.reached(logId(3), 5000, settled);
  expect(settled.length).toBe(5000);
});

test("a failed log refuses all that waits for it, and nobody else", () => {
  const waiters = new Waiters();
  const doomed = pendingProduce();
  const other = pendingProduce();
  waiters.add(logId(1), 10, doomed, answer(0));
  waiters.add(logId(2), 10, other, answer(0));
  const settled: PendingProduce[] = [];
  const refused: PendingProduce[] = [];
  waiters.fail(logId(1), (pending) => refused.push(pending), settled);
  expect(refused).toEqual([doomed]);
  expect(settled).toEqual([doomed]);
  expect(other.waiting).toBe(1);
});

test("late gives exactly the unsettled batches of late requests", () => {
  const waiters = new Waiters();
  const early = pendingProduce();
  const late = pendingProduce();
  const unsettled = answer(7);
  waiters.add(logId(1), 1, late, answer(0));
  waiters.add(logId(1), 2, late, unsettled);
  waiters.add(logId(1), 3, early, answer(1));
  waiters.reached(logId(1), 1, []);
  const found: PartitionAnswer[] = [];
  waiters.late(
    (pending) => pending === late,
    (_, found7) => found.push(found7),
  );
  expect(found).toEqual([unsettled]);
});
