import { AssertionError } from "@mantou/base";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SafetyError } from "./safety.ts";
import type { RaftClass } from "./sim-node.ts";
import { Simulation } from "./simulation.ts";

// Does the alarm ring? Each bug is planted into a copy of the sources, and the simulation must find
// it. The text that is replaced must be there exactly once, so that a mutation cannot rot unseen.

interface Bug {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Where the search begins: rare coincidences need thousands of tries, and this one is known. */
  readonly firstSeed?: number;
}

const bugs: readonly Bug[] = [
  {
    name: "a vote leaves before it is on disk",
    file: "core.ts",
    find: `    case "voteResponse":\n    case "heartbeatResponse":\n      return !hardStateIsDurable(core);`,
    replace: `    case "heartbeatResponse":\n      return !hardStateIsDurable(core);\n    case "voteResponse":\n      return false;`,
  },
  {
    name: "a vote for everyone who asks",
    file: "election.ts",
    find: "core.votedFor === null && leaderOf(core) === null",
    replace: "leaderOf(core) === null",
  },
  {
    name: "a vote for a candidate whose log is behind",
    file: "log.ts",
    find: "return lastIndex >= this.lastIndex;",
    replace: "return true;",
  },
  {
    name: "a vote for a candidate whose last term is lower",
    file: "log.ts",
    find: "if (lastTerm !== this.lastTerm) return lastTerm > this.lastTerm;",
    replace: "",
  },
  {
    name: "half is a majority",
    file: "quorum.ts",
    find: "values[values.length >> 1]",
    replace: "values[(values.length - 1) >> 1]",
  },
  {
    name: "half of the votes elect",
    file: "quorum.ts",
    find: "(voters.length >> 1) + 1",
    replace: "(voters.length + 1) >> 1",
  },
  {
    name: "entries are acknowledged before they are on disk",
    file: "core.ts",
    find: "(message.accepted && message.index > core.writes.stableIndex)",
    replace: "false",
  },
  {
    name: "a leader counts its own entries before they are on disk",
    file: "leader.ts",
    find: "id === self ? core.writes.stableIndex :",
    replace: "id === self ? core.log.lastIndex :",
  },
  {
    name: "an entry of an earlier term commits by counting (figure 8)",
    file: "leader.ts",
    find: " || core.log.termAt(index) !== core.term",
    replace: "",
  },
  {
    name: "a heartbeat commits more than the follower is known to share",
    file: "replicate.ts",
    find: "Math.min(core.commit, progress.match);",
    replace: "core.commit;",
  },
  {
    name: "a follower does not look whether the logs match",
    file: "follower.ts",
    find: "!log.matches(prevIndex, prevTerm)",
    replace: "prevIndex > log.lastIndex",
  },
  {
    name: "a truncation is forgotten by the disk",
    file: "follower.ts",
    find: "  core.writes.noteTruncate(index);\n",
    replace: "",
  },
  {
    name: "several membership changes at once",
    file: "change.ts",
    find: "if (latestIndex > core.commit)",
    replace: "if (latestIndex < 0)",
  },
  {
    name: "a leader reads without asking",
    file: "read-index.ts",
    find: "id === self ? leader.round :",
    replace: "id >= 0 ? leader.round :",
  },
  {
    name: "a proposal is torn apart",
    file: "log.ts",
    find: "if (!entry.continues) end = at + 1;",
    replace: "end = at + 1;",
  },
  {
    name: "a member whose removal is not committed gives up",
    file: "core.ts",
    find: "return memberships.latestIndex > commit &&",
    replace: "return false &&",
  },
  {
    name: "a lost append is never sent again",
    file: "leader.ts",
    find: `if (progress.match < core.log.lastIndex || progress.state === "probe")`,
    replace: "if (progress.match < 0)",
  },
];

const SEEDS_MAX = 3_000;
const sources = join(import.meta.dir, "..", "src");
const base = join(import.meta.dir, "..", "..", "base", "src", "index.ts");
let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "raft-alarm-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function plant(bug: Bug, at: number): Promise<RaftClass> {
  const copy = join(directory, String(at));
  await cp(sources, copy, { recursive: true });
  for (const file of await readdir(copy)) {
    const path = join(copy, file);
    let text = (await readFile(path, "utf8")).replaceAll('"@mantou/base"', JSON.stringify(base));
    if (file === bug.file) {
      expect(text.split(bug.find).length - 1).toBe(1);
      text = text.replace(bug.find, () => bug.replace);
    }
    await writeFile(path, text);
  }
  return ((await import(join(copy, "index.ts"))) as { Raft: RaftClass }).Raft;
}

/** The first broken promise, and the seed that showed it. */
function firstAlarm(RaftImpl: RaftClass, first: number): { seed: number; error: unknown } | null {
  for (let seed = first; seed < first + SEEDS_MAX; seed += 1) {
    try {
      new Simulation(seed, RaftImpl).run();
    } catch (error) {
      return { seed, error };
    }
  }
  return null;
}

for (const [at, bug] of bugs.entries()) {
  test(`the alarm rings: ${bug.name}`, async () => {
    const alarm = firstAlarm(await plant(bug, at), bug.firstSeed ?? 1);
    expect(alarm).not.toBeNull();
    const { seed, error } = alarm as { seed: number; error: Error };
    // Not a crash of the test itself.
    expect(error instanceof SafetyError || error instanceof AssertionError).toBe(true);
    console.log(`seed ${seed}: ${error.message.split("\n")[0]}`);
  }, 120_000);
}
