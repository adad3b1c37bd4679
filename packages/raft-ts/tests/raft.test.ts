import { describe, expect, test } from "bun:test";
import {
  type Entry,
  Raft,
  RestoreError,
  type Restored,
  bootstrap,
  defaultOptions,
  membership,
} from "../src/index.ts";
import { simOptions } from "./sim-node.ts";
import { Solo, diskOf, entry } from "./solo.ts";

const open = (disk: Restored): Raft => new Raft({ ...simOptions, id: 1, seed: 1 }, disk, 0);

describe("restore", () => {
  const snapshot = { index: 3, term: 2, membership: membership([1], []) };
  const hardState = { term: 4, votedFor: null };
  const entries = (...at: string[]): Entry[] => at.map((one) => entry(one));

  test("entries at and below the snapshot are not needed", () => {
    const log = entries("2/1", "3/2", "4/3", "5/4");
    const status = open({ hardState, snapshot, entries: log }).status();
    expect(status).toMatchObject({ firstIndex: 4, lastIndex: 5, commit: 3, applied: 3, stable: 5 });
  });

  test("a log that does not contain the snapshot's entry is reset", () => {
    for (const log of [entries("1/1", "2/1"), entries("2/1", "3/1", "4/1"), []]) {
      const raft = open({ hardState, snapshot, entries: log });
      expect(raft.status()).toMatchObject({ firstIndex: 4, lastIndex: 3 });
      expect(raft.take().persist).toMatchObject({ snapshot, entries: [], hardState: null });
    }
  });

  test("a torn proposal is cut off", () => {
    const torn = [entry("4/3"), { ...entry("5/3"), continues: true }];
    const raft = open({ hardState, snapshot, entries: torn });
    expect(raft.status().lastIndex).toBe(4);
    expect(raft.take().persist).toMatchObject({ truncateFrom: 5, entries: [] });
  });

  test("what contradicts itself is refused", () => {
    const bad: Partial<Restored>[] = [
      { entries: entries("5/3") },
      { entries: entries("4/3", "6/3") },
      { entries: entries("4/3", "5/2") },
      { entries: entries("4/5") },
      { snapshot: { ...snapshot, term: 5 } },
      { snapshot: { ...snapshot, membership: { voters: [], learners: [] } } },
      { entries: [{ ...entry("4/3", "config"), data: Uint8Array.of(9) }] },
    ];
    for (const part of bad) {
      expect(() => open({ hardState, snapshot, entries: [], ...part })).toThrow(RestoreError);
    }
    expect(() => bootstrap([])).toThrow(RestoreError);
  });

  test("options that contradict each other are refused", () => {
    const bad = [
      { electionTimeoutMs: 100, heartbeatMs: 60 },
      { inflightBytesMax: 1 },
      { uncommittedBytesMax: 1 },
      { id: -1 },
      { id: 2 ** 31 },
    ];
    for (const part of bad) {
      const options = { ...defaultOptions, id: 1, seed: 1, ...part };
      expect(() => new Raft(options, bootstrap([1]), 0)).toThrow();
    }
  });
});

describe("refusals", () => {
  const refusal = (answer: ReturnType<Raft["step"]>): string =>
    answer.ok ? "taken" : answer.error.kind;

  test("proposals: too large, and bounded while nothing commits", () => {
    const node = new Solo(1, bootstrap([1, 2, 3]));
    const propose = (bytes: number): string =>
      refusal(node.raft.step({ kind: "propose", data: [new Uint8Array(bytes)] }, 0));
    expect(propose(1)).toBe("notLeader");
    node.elect(2);
    expect(propose(1_000)).toBe("tooLarge");
    expect(Array.from({ length: 6 }, () => propose(900))).toEqual([
      "taken",
      "taken",
      "taken",
      "taken",
      "overloaded",
      "overloaded",
    ]);
    node.flush();
    node.accept(2, 5);
    expect(propose(900)).toBe("taken");
  });

  test("reads are bounded", () => {
    const node = new Solo(1, bootstrap([1, 2, 3]), false, { readsPendingMax: 2 });
    node.elect(2);
    const read = (id: number): string => refusal(node.raft.step({ kind: "read", id }, 0));
    expect([read(1), read(2), read(3)]).toEqual(["taken", "taken", "overloaded"]);
  });

  test("a disk that does not keep up makes messages bounce", () => {
    const node = new Solo(1, bootstrap([1, 2, 3]), true, { writesOutstandingMax: 2 });
    const append = (index: number): string => {
      const message = {
        type: "append" as const,
        from: 2,
        to: 1,
        term: 1,
        prevIndex: index - 1,
        prevTerm: index === 1 ? 0 : 1,
        entries: [entry(`${index}/1`)],
        commit: 0,
      };
      const answer = refusal(node.raft.step({ kind: "message", message }, 0));
      node.flush();
      return answer;
    };
    expect([append(1), append(2), append(3)]).toEqual(["taken", "taken", "busy"]);
    node.step({ kind: "persisted", ticket: 1 });
    expect(append(3)).toBe("taken");
  });

  test("messages that no correct peer sends are dropped, with a reason", () => {
    const node = new Solo(1, diskOf([1, 2, 3], [1, 1]));
    const to = { from: 2, to: 1, term: 3 };
    const prev = { prevIndex: 2, prevTerm: 1, commit: 0 };
    const members = { voters: [], learners: [] };
    const bad: object[] = [
      { ...to, type: "append", ...prev, entries: [entry("4/3")] },
      { ...to, type: "append", ...prev, entries: [entry("3/4")] },
      { ...to, type: "append", ...prev, entries: [entry("3/3"), entry("4/2")] },
      { ...to, type: "append", ...prev, entries: [{ ...entry("3/3"), continues: true }] },
      { ...to, type: "append", ...prev, prevIndex: -1, entries: [] },
      { ...to, type: "append", ...prev, commit: Number.NaN, entries: [] },
      { ...to, type: "append", ...prev, entries: [entry("3/3", "config")] },
      { ...to, type: "heartbeat", commit: 1.5, round: 0 },
      { ...to, type: "heartbeatResponse", round: -1 },
      { ...to, type: "appendResponse", accepted: true, index: -1, hintIndex: 0, hintTerm: 0 },
      { ...to, type: "voteRequest", term: 0, lastIndex: 0, lastTerm: 0, transfer: false },
      { ...to, type: "installSnapshot", snapshot: { index: 5, term: 3, membership: members } },
      { ...to, type: "installSnapshot", snapshot: { index: 5, term: 9, membership: members } },
      { ...to, type: "timeoutNow", to: 7 },
      { ...to, type: "timeoutNow", from: -4 },
      { ...to, type: "timeoutNow", term: 2 ** 60 },
    ];
    for (const message of bad) {
      const answer = node.raft.step({ kind: "message", message: message as never }, 0);
      expect([refusal(answer), JSON.stringify(message)]).toEqual([
        "malformed",
        JSON.stringify(message),
      ]);
    }
    expect(node.raft.status()).toMatchObject({ term: 1, lastIndex: 2, leader: null });
  });

  test("messages that contradict what is committed are dropped, with a reason", () => {
    const node = new Solo(1, diskOf([1, 2, 3], [1, 1, 1]));
    const step = (message: object): string =>
      refusal(node.raft.step({ kind: "message", message: message as never }, 0));
    const from2 = { from: 2, to: 1, term: 2 };
    const empty = { type: "append", prevIndex: 3, prevTerm: 1, entries: [], commit: 3 };
    expect(step({ ...from2, ...empty })).toBe("taken");
    const other = { type: "append", prevIndex: 1, prevTerm: 1, entries: [entry("2/2")], commit: 0 };
    expect(step({ ...from2, ...other })).toBe("violation");
    expect(step({ ...from2, type: "heartbeat", commit: 9, round: 1 })).toBe("violation");
    expect(step({ ...from2, ...empty, from: 3 })).toBe("violation");
    expect(node.raft.status()).toMatchObject({ lastIndex: 3, commit: 3, leader: 2 });
  });

  test("snapshots of what is not applied, or older than the last, are stale", () => {
    const node = new Solo(1, bootstrap([1]));
    node.step({ kind: "tick" });
    node.propose("a");
    node.propose("b");
    const saved = (index: number): string => {
      const found = node.raft.describeSnapshot(index);
      const snapshot = found ?? { index, term: 1, membership: membership([1], []) };
      return refusal(node.raft.step({ kind: "snapshotSaved", snapshot, compactTo: index }, 0));
    };
    expect(node.raft.describeSnapshot(4)).toBeNull();
    expect(saved(4)).toBe("stale");
    expect(saved(3)).toBe("taken");
    expect(saved(2)).toBe("stale");
    expect(node.raft.describeSnapshot(2)).toBeNull();
    expect(node.raft.status()).toMatchObject({ firstIndex: 4, lastIndex: 3 });
  });
});

test("an idle lone voter has no deadline; with a learner it has one", () => {
  const node = new Solo(1, bootstrap([1]));
  expect(node.last.armDeadlineMs).toBe(0);
  node.step({ kind: "tick" });
  expect([node.raft.status().role, node.last.armDeadlineMs]).toEqual(["leader", null]);
  node.step({ kind: "changeMembership", change: { type: "addLearner", id: 2 } });
  expect(node.last.armDeadlineMs).not.toBeNull();
});

test("a snapshot that gets lost is sent again after its timeout, and at once when told", () => {
  const node = new Solo(1, bootstrap([1, 2, 3]));
  node.elect(2);
  node.accept(2, 1);
  node.propose("a");
  node.accept(2, 2);
  const snapshot = node.raft.describeSnapshot(2);
  if (snapshot === null) throw new Error("entry 2 is applied");
  node.step({ kind: "snapshotSaved", snapshot, compactTo: 2 });
  const echo = (): string[] =>
    node.receive({ type: "heartbeatResponse", from: 3, term: 1, round: 0 }).map(({ type }) => type);
  expect(echo()).toEqual(["installSnapshot"]);
  expect(echo()).toEqual([]);
  node.step({ kind: "snapshotFailed", to: 3 });
  expect(echo()).toEqual(["installSnapshot"]);
  for (let at = 0; at < 20; at += 1) {
    node.now += 20;
    node.step({ kind: "tick" });
    node.receive({ type: "heartbeatResponse", from: 2, term: 1, round: 0 });
  }
  expect(echo()).toEqual(["installSnapshot"]);
});
