import { beforeEach, expect, test } from "bun:test";
import { ErrorCode } from "@mantou/protocol";
import { FetchSessions } from "../src/fetch/fetch-sessions.ts";
import type { FetchSession } from "../src/fetch/fetch-sessions.ts";
import { ParkingLot } from "../src/fetch/parking-lot.ts";

let lot: ParkingLot;
let sessions: FetchSessions;

beforeEach(() => {
  lot = new ParkingLot();
  sessions = new FetchSessions(lot, 1, 2);
});

const ask = (sessionId: number, sessionEpoch: number, usesIds = true) => ({
  sessionId,
  sessionEpoch,
  usesIds,
});

function open(nowMs = 0): FetchSession {
  const verdict = sessions.judge(ask(0, 0), 1, nowMs);
  if (verdict.kind !== "full" || verdict.session === null) throw new Error("no session");
  return verdict.session;
}

test("(0, 0) opens a session, and the next fetch carries epoch 1", () => {
  const session = open();
  expect(session.id).toBeGreaterThan(0);
  expect(sessions.judge(ask(session.id, 1), 0, 1)).toEqual({ kind: "incremental", session });
  expect(sessions.judge(ask(session.id, 2), 0, 2)).toEqual({ kind: "incremental", session });
});

test("(0, -1) is sessionless, (id, -1) closes", () => {
  expect(sessions.judge(ask(0, -1), 1, 0)).toEqual({ kind: "sessionless" });
  const session = open();
  expect(sessions.judge(ask(session.id, -1), 1, 0)).toEqual({ kind: "sessionless" });
  expect(sessions.judge(ask(session.id, 1), 0, 0)).toEqual({
    kind: "refuse",
    errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  });
});

test("a wrong epoch and a change between names and ids are refused with their own codes", () => {
  const session = open();
  expect(sessions.judge(ask(session.id, 5), 0, 0)).toEqual({
    kind: "refuse",
    errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH,
  });
  expect(sessions.judge(ask(session.id, 1, false), 0, 0)).toEqual({
    kind: "refuse",
    errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
  });
});

test("the epoch wraps from 2^31 - 1 to 1", () => {
  const session = open();
  session.nextEpoch = 0x7fff_ffff;
  expect(sessions.judge(ask(session.id, 0x7fff_ffff), 0, 0).kind).toBe("incremental");
  expect(session.nextEpoch).toBe(1);
});

test("a full cache gives no session until one has been idle for two minutes", () => {
  const first = open(0);
  open(0);
  expect(sessions.judge(ask(0, 0), 1, 1000)).toEqual({ kind: "full", session: null });
  const later = sessions.judge(ask(0, 0), 1, 121_000);
  expect(later.kind === "full" && later.session !== null).toBe(true);
  expect(sessions.judge(ask(first.id, 1), 0, 121_000).kind).toBe("refuse");
});

test("a fetch of more partitions than a slot may hold gets no session", () => {
  expect(sessions.judge(ask(0, 0), 2_000_001, 0)).toEqual({ kind: "full", session: null });
});
