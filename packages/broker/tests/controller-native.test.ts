import { logId, offset } from "@mantou/base";
import type { Io } from "@mantou/io";
import { EVENT_WORDS, Event, EventKind, Table, addonVersion, openNativeIo } from "@mantou/io";
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Message } from "raft-ts";
import { ControllerDriver } from "../src/drivers/controller.ts";
import { Notes, note } from "./controller-cluster.ts";
import { testAmbient } from "./in-process-broker.ts";

// The same driver on real files: three engines in one process, real time.

const isBuilt = (() => {
  try {
    return addonVersion() !== "";
  } catch {
    return false;
  }
})();
if (!isBuilt) console.warn("skipped: the native addon is not built");

const root = mkdtempSync(join(tmpdir(), "mantou-controller-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const DEADLINE_MS = 15_000;

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const carry = (message: Message, checkpoint: Uint8Array | null): void => {
  setImmediate(() => running.get(message.to)?.driver.receive(message, checkpoint));
};
const running = new Map<number, NativeNode>();

class NativeNode {
  private constructor(
    readonly directory: string,
    readonly io: Io,
    readonly notes: Notes,
    readonly driver: ControllerDriver,
  ) {}

  static async start(id: number, voters: readonly number[], name: string): Promise<NativeNode> {
    const directory = join(root, `${name}-${id}`);
    const io = openNativeIo({ arenaBytes: 8 << 20 });
    const notes = new Notes();
    let driver: ControllerDriver | null = null;
    const events = new Table(EVENT_WORDS, 64);
    io.onEvents(() => {
      for (let rows = events.capacity; rows === events.capacity;) {
        rows = io.drain(events);
        for (let row = 0; row < rows; row += 1) {
          if (events.word(row, Event.kind) === EventKind.DURABLE) {
            driver?.onDurable(events.double(row, Event.offsetF64));
          }
        }
      }
    });
    const store = await io.logs.open({
      dataDirectory: directory,
      reserveBytes: 0,
      freeBytesMin: 0,
      groupHoldMs: 0,
      flush: "auto",
      filesOpenMax: 64,
    });
    if (store.nodeId === null) await io.logs.format("MkU3OEVBNTcwNTJENDM2Qg", id);
    driver = new ControllerDriver({
      io,
      ambient: { ...testAmbient([]), randomBytes: (n) => new Uint8Array(n).fill(id) },
      logId: logId(0),
      nodeId: id,
      directoryId: store.directoryId,
      clusterId: "cluster",
      machine: notes,
      voters,
      peers: { send: carry },
      settings: { snapshotBytes: 200, entriesKept: 0, electionTimeoutMs: 700, heartbeatMs: 100 },
    });
    const node = new NativeNode(directory, io, notes, driver);
    running.set(id, node);
    await driver.start();
    return node;
  }

  get isLeader(): boolean {
    return this.driver.status().role === "leader";
  }

  get checkpoints(): string[] {
    const files = readdirSync(join(this.directory, "__cluster_metadata-0"));
    return files.filter((name) => name.endsWith(".checkpoint"));
  }

  async stop(id: number): Promise<void> {
    running.delete(id);
    await this.driver.stop();
    await this.io.close();
  }
}

describe.skipIf(!isBuilt)("on real files", () => {
  test("one voter: snapshots, trimming and restarts", async () => {
    const words: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      const node = await NativeNode.start(1, [1], "alone");
      expect(node.notes.text).toEqual(words);
      expect(node.driver.status().term).toBe(round + 1);
      for (let at = 0; at < 30; at += 1) {
        const word = `word ${round}-${at} ${"x".repeat(20)}`;
        words.push(word);
        await node.driver.propose([note(word)]);
      }
      await until("one checkpoint is left", () => node.checkpoints.length === 1);
      await node.stop(1);
    }
  });

  test("three voters: a late one gets a snapshot, and its log goes on behind a gap", async () => {
    const ids = [1, 2, 3];
    const nodes = await Promise.all(ids.map((id) => NativeNode.start(id, ids, "three")));
    const leader = nodes.find((node) => node.isLeader) as NativeNode;
    const lateId = nodes.findIndex((node) => node !== leader) + 1;
    const late = nodes[lateId - 1] as NativeNode;
    await leader.driver.propose([note("before")]);
    await until("everybody has it", () => nodes.every(({ notes }) => notes.text.length === 1));
    await late.stop(lateId);
    const words = Array.from({ length: 30 }, (_, at) => `word ${at} ${"x".repeat(20)}`);
    for (const word of words) await leader.driver.propose([note(word)]);

    let back = await NativeNode.start(lateId, ids, "three");
    await until("it has caught up", () => back.notes.text.length === 31);
    expect(back.notes.restores).toBeGreaterThan(0);
    await leader.driver.propose([note("behind the gap")]);
    await until("it goes on", () => back.notes.text.length === 32);
    await back.stop(lateId);

    back = await NativeNode.start(lateId, ids, "three");
    await until("it is there again", () => back.notes.text.length === 32);
    expect(back.notes.text).toEqual(["before", ...words, "behind the gap"]);
    await Promise.all(ids.map((id) => running.get(id)?.stop(id)));
  });

  test("a log may be cut between proposals and goes on there", async () => {
    const node = await NativeNode.start(1, [1], "cut");
    await node.driver.propose([note("a")]);
    await node.driver.propose([note("b")]);
    const state = await node.io.logs.truncate(logId(0), offset(2));
    expect(state.endOffset).toBe(offset(2));
    await node.stop(1);
    const again = await NativeNode.start(1, [1], "cut");
    expect(again.notes.text).toEqual(["a"]);
    await again.stop(1);
  });
});
