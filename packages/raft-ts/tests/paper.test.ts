import { describe, expect, test } from "bun:test";
import { type Append, type Message, bootstrap, membership } from "../src/index.ts";
import { Solo, diskOf, entry } from "./solo.ts";

// Each test cites the section of "In Search of an Understandable Consensus Algorithm" (the extended
// version) or, where it says thesis, of "Consensus: Bridging Theory and Practice".

const ABC = [1, 2, 3];
const ABCDE = [1, 2, 3, 4, 5];
const types = (messages: readonly Message[]): string[] => messages.map(({ type }) => type);
const append = (from: number, term: number, prev: string, ...entries: string[]) => {
  const [prevIndex, prevTerm] = prev.split("/").map(Number);
  return {
    type: "append" as const,
    from,
    term,
    prevIndex,
    prevTerm,
    entries: entries.map((at) => entry(at)),
    commit: 0,
  };
};

describe("section 5.1: terms", () => {
  test("a candidate or leader that learns of a higher term becomes a follower", () => {
    const node = new Solo(1, diskOf(ABC, [1]));
    node.elect(2);
    expect(node.raft.status().role).toBe("leader");
    node.receive({ type: "heartbeatResponse", from: 2, term: 9, round: 0 });
    expect(node.raft.status()).toMatchObject({ role: "follower", term: 9, votedFor: null });
  });

  test("a request of an older term is answered with the present one", () => {
    const node = new Solo(1, diskOf(ABC, [1], { term: 5 }));
    const [answer] = node.receive({ ...append(2, 4, "0/0"), from: 2 });
    expect(answer).toMatchObject({ type: "appendResponse", term: 5, accepted: false });
    const vote = { type: "voteRequest" as const, lastIndex: 9, lastTerm: 9, transfer: false };
    const [refused] = node.receive({ ...vote, from: 2, term: 4 });
    expect(refused).toMatchObject({ type: "voteResponse", term: 5, granted: false });
  });

  test("answers of an older term are not counted", () => {
    const node = new Solo(1, diskOf(ABC, [1]));
    node.elect(2);
    const { term, commit } = node.raft.status();
    const old = { type: "appendResponse" as const, from: 2, term: term - 1, accepted: true };
    node.receive({ ...old, index: 2, hintIndex: 0, hintTerm: 0 });
    expect(node.raft.status().commit).toBe(commit);
  });
});

describe("section 5.2: leader election", () => {
  test("a follower starts an election when nobody speaks for a timeout of T to 2T", () => {
    const deadlines = Array.from({ length: 50 }, (_, seed) => {
      const node = new Solo(1, bootstrap(ABC), false, { seed });
      return node.last.armDeadlineMs as number;
    });
    expect(Math.min(...deadlines)).toBeGreaterThanOrEqual(100);
    expect(Math.max(...deadlines)).toBeLessThan(200);
    const node = new Solo(1, bootstrap(ABC));
    node.now = (node.last.armDeadlineMs as number) - 1;
    expect(node.step({ kind: "tick" })).toEqual([]);
    node.now += 1;
    expect(types(node.step({ kind: "tick" }))).toEqual(["preVoteRequest", "preVoteRequest"]);
  });

  test("timeouts differ between nodes and between elections", () => {
    const node = new Solo(1, bootstrap(ABC));
    const deadlines = new Set<number>();
    for (let at = 0; at < 10; at += 1) {
      const armed = node.last.armDeadlineMs as number;
      deadlines.add(armed - node.now);
      node.now = armed;
      node.step({ kind: "tick" });
    }
    expect(deadlines.size).toBeGreaterThan(5);
  });

  test("a majority of five elects: two others and itself", () => {
    const node = new Solo(1, bootstrap(ABCDE));
    node.step({ kind: "campaign" });
    const pre = { type: "preVoteResponse" as const, term: 1, granted: true };
    node.receive({ ...pre, from: 2 });
    node.receive({ ...pre, from: 2 });
    expect(node.raft.status().role).toBe("preCandidate");
    node.receive({ ...pre, from: 3 });
    const vote = { type: "voteResponse" as const, term: 1, granted: true };
    node.receive({ ...vote, from: 2 });
    node.receive({ ...vote, from: 2 });
    node.receive({ ...vote, from: 9 });
    expect(node.raft.status().role).toBe("candidate");
    node.receive({ ...vote, from: 3 });
    expect(node.raft.status().role).toBe("leader");
  });

  test("a refusing majority ends the candidacy", () => {
    const node = new Solo(1, bootstrap(ABC));
    node.step({ kind: "campaign" });
    node.receive({ type: "preVoteResponse", from: 2, term: 1, granted: true });
    node.receive({ type: "voteResponse", from: 2, term: 1, granted: false });
    node.receive({ type: "voteResponse", from: 3, term: 1, granted: false });
    expect(node.raft.status().role).toBe("follower");
  });

  test("one vote a term, first come first served, and the same again when asked again", () => {
    const node = new Solo(3, bootstrap(ABC));
    const ask = { type: "voteRequest" as const, term: 1, lastIndex: 0, lastTerm: 0 };
    const granted = (from: number): unknown =>
      node.receive({ ...ask, from, transfer: false }).map((m) => "granted" in m && m.granted);
    expect([granted(1), granted(2), granted(1)]).toEqual([[true], [false], [true]]);
  });

  test("a candidate gives way to the leader of its term", () => {
    const node = new Solo(1, bootstrap(ABC));
    node.step({ kind: "campaign" });
    node.receive({ type: "preVoteResponse", from: 2, term: 1, granted: true });
    expect(node.raft.status()).toMatchObject({ role: "candidate", term: 1 });
    node.receive(append(3, 1, "0/0", "1/1"));
    expect(node.raft.status()).toMatchObject({ role: "follower", leader: 3, votedFor: 1 });
  });

  test("the vote is on disk before any message tells of it", () => {
    const node = new Solo(1, bootstrap(ABC), true);
    node.step({ kind: "campaign" });
    const left = node.receive({ type: "preVoteResponse", from: 2, term: 1, granted: true });
    expect(left).toEqual([]);
    expect(node.last.persist?.hardState).toEqual({ term: 1, votedFor: 1 });
    expect(types(node.last.persist?.messages ?? [])).toEqual(["voteRequest", "voteRequest"]);
    // Nor does it count for itself before: a vote from outside makes no leader yet.
    node.receive({ type: "voteResponse", from: 2, term: 1, granted: true });
    expect(node.raft.status().role).toBe("candidate");
    node.step({ kind: "persisted", ticket: 1 });
    expect(node.raft.status().role).toBe("leader");
  });
});

describe("section 5.3: log replication", () => {
  test("a leader sends the entry before the new ones, and commits with a majority", () => {
    const node = new Solo(1, diskOf(ABC, [1, 1]));
    const first = node.elect(2);
    expect(first.filter(({ type }) => type === "append")).toMatchObject([
      { to: 2, prevIndex: 2, prevTerm: 1, term: 2, commit: 0 },
      { to: 3, prevIndex: 2, prevTerm: 1, term: 2, commit: 0 },
    ]);
    node.accept(2, 3);
    expect(node.raft.status().commit).toBe(3);
    const told = node.propose("x").filter(({ type }) => type === "append") as Append[];
    expect(told[0]).toMatchObject({ prevIndex: 3, prevTerm: 2, commit: 3 });
  });

  test("its own disk is one of the majority, and only when it has written", () => {
    const node = new Solo(1, bootstrap([1, 2, 3]), true);
    node.step({ kind: "campaign" });
    node.receive({ type: "preVoteResponse", from: 2, term: 1, granted: true });
    node.step({ kind: "persisted", ticket: 1 });
    node.receive({ type: "voteResponse", from: 2, term: 1, granted: true });
    node.accept(2, 1);
    expect(node.raft.status()).toMatchObject({ role: "leader", commit: 0, stable: 0 });
    node.step({ kind: "persisted", ticket: 2 });
    expect(node.raft.status()).toMatchObject({ commit: 1, stable: 1 });
  });

  test("followers' disks may be the whole majority (thesis section 10.2.1)", () => {
    const node = new Solo(1, bootstrap([1, 2, 3]), true);
    node.step({ kind: "campaign" });
    node.receive({ type: "preVoteResponse", from: 2, term: 1, granted: true });
    node.step({ kind: "persisted", ticket: 1 });
    node.receive({ type: "voteResponse", from: 2, term: 1, granted: true });
    node.accept(2, 1);
    node.accept(3, 1);
    expect(node.raft.status()).toMatchObject({ commit: 1, stable: 0 });
    // Committed, but not applied before this disk has it too.
    expect(node.last.committed).toEqual([]);
  });

  test("a follower commits no further than what it shares with its leader", () => {
    const node = new Solo(1, diskOf(ABC, [1, 1, 1, 1]));
    node.receive({ ...append(2, 2, "2/1"), commit: 4 });
    // Entries 3 and 4 are somebody else's.
    expect(node.raft.status().commit).toBe(2);
  });

  test("an entry is acknowledged when it is on disk", () => {
    const node = new Solo(1, bootstrap(ABC), true);
    expect(node.receive(append(2, 1, "0/0", "1/1"))).toEqual([]);
    expect(node.last.persist).toMatchObject({ messages: [{ accepted: true, index: 1 }] });
    // A repeated message waits for the same write: it hangs from an empty one behind it.
    expect(node.receive(append(2, 1, "0/0", "1/1"))).toEqual([]);
    expect(node.last.persist).toMatchObject({ ticket: 2, entries: [], hardState: null });
    node.step({ kind: "persisted", ticket: 2 });
    expect(node.receive(append(2, 1, "0/0", "1/1"))).toMatchObject([{ accepted: true }]);
  });

  // Figure 7: every way in which a follower's log may differ from its leader's.
  const leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const followers: Record<string, number[]> = {
    "(a) misses one": [1, 1, 1, 4, 4, 5, 5, 6, 6],
    "(b) misses many": [1, 1, 1, 4],
    "(c) has one more": [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    "(d) has two of a later term": [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    "(e) misses some and has others": [1, 1, 1, 4, 4, 4, 4],
    "(f) went its own way": [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  };
  for (const [name, terms] of Object.entries(followers)) {
    test(`figure 7 ${name}: the leader makes the logs equal`, () => {
      const lead = new Solo(1, diskOf(ABC, leader, { term: 7 }));
      const follow = new Solo(2, diskOf(ABC, terms, { term: 7 }));
      let toFollower = lead.elect(3).filter(({ to, type }) => to === 2 && type === "append");
      let rounds = 0;
      while (toFollower.length > 0 && rounds < 20) {
        rounds += 1;
        const answers = toFollower.flatMap((m) => follow.step({ kind: "message", message: m }));
        toFollower = answers
          .flatMap((m) => lead.step({ kind: "message", message: m }))
          .filter(({ to }) => to === 2);
      }
      const of = (node: Solo): number[] => [
        node.raft.status().lastIndex,
        node.raft.status().lastTerm,
      ];
      expect(of(follow)).toEqual([11, 8]);
      expect(of(lead)).toEqual([11, 8]);
      // At most one rejection per term that differs, and one to commit.
      expect(rounds).toBeLessThanOrEqual(6);
    });
  }

  test("entries of an old message do not cut newer ones off", () => {
    const node = new Solo(1, bootstrap(ABC));
    node.receive(append(2, 1, "0/0", "1/1", "2/1", "3/1"));
    const late = node.receive(append(2, 1, "0/0", "1/1"));
    expect(late).toMatchObject([{ accepted: true, index: 1 }]);
    expect(node.raft.status().lastIndex).toBe(3);
  });
});

describe("section 5.4: safety", () => {
  const cases: [string, number, number, boolean][] = [
    ["a higher last term wins, however short the log", 1, 3, true],
    ["a lower last term loses, however long the log", 9, 1, false],
    ["the same term and length", 2, 2, true],
    ["the same term, longer", 3, 2, true],
    ["the same term, shorter", 1, 2, false],
  ];
  for (const [name, lastIndex, lastTerm, granted] of cases) {
    test(`5.4.1 ${name}`, () => {
      const node = new Solo(1, diskOf(ABC, [1, 2]));
      const ask = { from: 2, term: 5, lastIndex, lastTerm };
      const [pre] = node.receive({ type: "preVoteRequest", ...ask });
      const [vote] = node.receive({ type: "voteRequest", ...ask, transfer: false });
      expect([pre, vote]).toMatchObject([{ granted }, { granted }]);
    });
  }

  test("5.4.2, figure 8: an entry of an earlier term is not committed by counting", () => {
    const node = new Solo(1, diskOf(ABCDE, [1, 2]));
    node.elect(2, 3);
    node.accept(2, 2);
    node.accept(3, 2);
    // (c): 2/2 is on a majority, and may still be overwritten.
    expect(node.raft.status().commit).toBe(0);
    node.accept(2, 3);
    node.accept(3, 3);
    // (e): with an entry of its own term on a majority, everything before is committed.
    expect(node.raft.status().commit).toBe(3);
  });
});

describe("section 7: snapshots", () => {
  const snapshot = { index: 5, term: 2, membership: membership(ABC, []) };

  test("a snapshot that is ahead replaces the log; its answer waits for the disk", () => {
    const node = new Solo(1, diskOf(ABC, [1, 1]), true);
    expect(node.receive({ type: "installSnapshot", from: 2, term: 2, snapshot })).toEqual([]);
    expect(node.last.persist).toMatchObject({ snapshot, entries: [], truncateFrom: null });
    expect(node.last.snapshotToInstall).toBeNull();
    node.step({ kind: "persisted", ticket: 1 });
    expect(node.last.snapshotToInstall).toEqual(snapshot);
    expect(node.raft.status()).toMatchObject({ commit: 5, applied: 5, firstIndex: 6 });
  });

  test("entries behind it are kept when the log contains its last entry", () => {
    const node = new Solo(1, diskOf(ABC, [1, 1, 1, 2, 2, 2]));
    const left = node.receive({ type: "installSnapshot", from: 2, term: 2, snapshot });
    expect(left).toMatchObject([{ accepted: true, index: 5 }]);
    expect(node.raft.status()).toMatchObject({ lastIndex: 6, commit: 5, firstIndex: 1 });
  });

  test("a snapshot that is behind is answered and forgotten", () => {
    const node = new Solo(1, diskOf(ABC, [1, 1, 1, 2, 2, 2]));
    node.receive({ ...append(2, 2, "6/2"), commit: 6 });
    const left = node.receive({ type: "installSnapshot", from: 2, term: 2, snapshot });
    expect(left).toMatchObject([{ accepted: true, index: 6 }]);
    expect(node.last.snapshotToInstall).toBeNull();
  });
});

describe("section 8: client interaction", () => {
  test("a new leader begins with a no-op", () => {
    const node = new Solo(1, diskOf(ABC, [1]));
    const [sent] = node.elect(2).filter(({ type }) => type === "append") as Append[];
    expect(sent?.entries).toMatchObject([{ index: 2, term: 2, kind: "noop" }]);
  });

  test("thesis 6.4: a read waits for a majority that was asked after it", () => {
    const node = new Solo(1, bootstrap(ABC));
    node.elect(2);
    node.accept(2, 1);
    const asked = node.step({ kind: "read", id: 7 });
    expect(types(asked)).toEqual(["heartbeat", "heartbeat"]);
    node.receive({ type: "heartbeatResponse", from: 2, term: 1, round: 0 });
    expect(node.last.reads).toEqual([]);
    node.receive({ type: "heartbeatResponse", from: 2, term: 1, round: 1 });
    expect(node.last.reads).toEqual([{ id: 7, index: 1 }]);
  });
});

describe("thesis section 9.6 and 6.2: pre-vote and leases", () => {
  test("a follower that hears its leader refuses pre-votes and ignores votes", () => {
    const node = new Solo(1, bootstrap(ABC));
    node.receive(append(2, 1, "0/0", "1/1"));
    node.now = 99;
    const ask = { from: 3, term: 5, lastIndex: 9, lastTerm: 4 };
    expect(node.receive({ type: "preVoteRequest", ...ask })).toMatchObject([{ granted: false }]);
    expect(node.receive({ type: "voteRequest", ...ask, transfer: false })).toEqual([]);
    expect(node.raft.status().term).toBe(1);
    // Unless the leader itself asked for the election (thesis section 3.10).
    const [vote] = node.receive({ type: "voteRequest", ...ask, transfer: true });
    expect(vote).toMatchObject({ granted: true });
  });

  test("after an election timeout without it, it answers", () => {
    const node = new Solo(1, bootstrap(ABC));
    node.receive(append(2, 1, "0/0", "1/1"));
    node.now = 100;
    const ask = { from: 3, term: 5, lastIndex: 9, lastTerm: 4 };
    expect(node.receive({ type: "preVoteRequest", ...ask })).toMatchObject([{ granted: true }]);
  });

  test("a leader that hears of no majority steps down after a timeout", () => {
    const node = new Solo(1, bootstrap(ABC));
    node.elect(2);
    for (node.now = 20; node.now < 100; node.now += 20) node.step({ kind: "tick" });
    expect(node.raft.status().role).toBe("leader");
    node.now = 100;
    node.step({ kind: "tick" });
    expect(node.raft.status()).toMatchObject({ role: "follower", term: 1, leader: null });
  });
});

describe("thesis chapter 4: membership", () => {
  test("4.1: no change before an entry of the leader's own term is committed", () => {
    const node = new Solo(1, diskOf(ABC, [1]));
    node.elect(2);
    const remove = { type: "remove" as const, id: 3 };
    const answer = node.raft.step({ kind: "changeMembership", change: remove }, 0);
    expect(answer).toEqual({ ok: false, error: { kind: "notReady" } });
  });

  test("4.1: a membership counts from the moment it is in the log, and goes with its entry", () => {
    const node = new Solo(1, bootstrap([1, 2]));
    const config = { ...entry("2/1", "config"), data: Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 0, 2) };
    node.receive({ ...append(2, 1, "0/0", "1/1"), entries: [entry("1/1"), config] });
    expect(node.raft.status().membership).toEqual({ voters: [2], learners: [] });
    node.receive(append(2, 2, "1/1", "2/2"));
    expect(node.raft.status().membership).toEqual({ voters: [1, 2], learners: [] });
  });

  test("4.2.1: learners count neither for elections nor for commits", () => {
    const disk = { ...bootstrap([1, 2, 3]) };
    const members = membership([1, 2, 3], [4, 5]);
    const node = new Solo(1, { ...disk, snapshot: { ...disk.snapshot, membership: members } });
    node.step({ kind: "campaign" });
    node.receive({ type: "preVoteResponse", from: 4, term: 1, granted: true });
    node.receive({ type: "preVoteResponse", from: 5, term: 1, granted: true });
    expect(node.raft.status().role).toBe("preCandidate");
    node.elect(2);
    node.accept(4, 1);
    node.accept(5, 1);
    expect(node.raft.status().commit).toBe(0);
    node.accept(2, 1);
    expect(node.raft.status().commit).toBe(1);
  });
});
