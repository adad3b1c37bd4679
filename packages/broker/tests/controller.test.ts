import { assert, logId, offset } from "@mantou/base";
import { IoError } from "@mantou/io";
import { type DecodedBatch, decodeBatches } from "@mantou/protocol";
import { describe, expect, test } from "bun:test";
import { ControllerError } from "../src/drivers/controller-errors.ts";
import { Cluster, type Node, directoryOf, note } from "./controller-cluster.ts";

const LOG = "__cluster_metadata-0";

const filesOf = (node: Node): Map<string, Uint8Array> => {
  const log = directoryOf(node.disk).logs.get(LOG);
  assert(log !== undefined, "the metadata log is there");
  return log.files;
};

const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

async function batchesOf(cluster: Cluster, node: Node): Promise<DecodedBatch[]> {
  const bytes = await cluster.settle(node.io.logs.read(logId(0), offset(0), 1 << 24));
  return decodeBatches(bytes);
}

async function codeOf(cluster: Cluster, promise: Promise<unknown>): Promise<string> {
  const error: unknown = await cluster.settle(promise).then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof ControllerError || error instanceof IoError ? error.code : String(error);
}

const startFailure = (cluster: Cluster, id: number): Promise<string> =>
  codeOf(cluster, cluster.start(id));

describe("one voter", () => {
  test("elects itself at once, commits, and replays after a restart", async () => {
    const cluster = new Cluster([7]);
    const node = await cluster.start(7);
    expect(node.driver.status().role).toBe("leader");
    // Index 1 is the leader's no-op.
    expect(await cluster.settle(node.driver.propose([note("a")]))).toBe(2);
    expect(await cluster.settle(node.driver.propose([note("b"), note("c")]))).toBe(4);
    expect(node.notes.text).toEqual(["a", "b", "c"]);
    expect(node.notes.indices).toEqual([2, 3, 4]);
    await node.stop();

    const again = await cluster.start(7);
    expect(again.notes.text).toEqual(["a", "b", "c"]);
    expect(again.driver.status().term).toBe(2);
    expect(await cluster.settle(again.driver.propose([note("d")]))).toBe(6);
    expect(again.notes.text).toEqual(["a", "b", "c", "d"]);
  });

  test("an idle node arms no timer", async () => {
    const cluster = new Cluster([1]);
    const node = await cluster.start(1);
    await cluster.settle(node.driver.propose([note("a")]));
    await cluster.time.forMs(5_000);
    expect(node.timersArmed).toBe(0);
  });

  test("index is offset + 1, term is leader epoch, a proposal is a batch", async () => {
    const cluster = new Cluster([1]);
    const node = await cluster.start(1);
    await cluster.settle(node.driver.propose([note("a")]));
    await cluster.settle(node.driver.propose([note("b"), note("c")]));
    const batches = await batchesOf(cluster, node);
    expect(batches.map((batch) => [batch.baseOffset, batch.lastOffset])).toEqual([
      [0, 0],
      [1, 1],
      [2, 3],
    ]);
    expect(batches.every((batch) => batch.partitionLeaderEpoch === 1)).toBe(true);
    expect(batches[2]?.records.map(({ value }) => textOf(value ?? undefined))).toEqual(["b", "c"]);
  });

  test("the quorum state is Kafka's, and is there before the first entry", async () => {
    const cluster = new Cluster([3]);
    cluster.disk(3).holdFlushes();
    const node = cluster.launch(3);
    await cluster.time.until("the term is on disk", () => {
      const log = directoryOf(node.disk).logs.get(LOG);
      return log?.files.has("quorum-state") ?? false;
    });
    expect(directoryOf(node.disk).logs.get(LOG)?.endOffset).toBe(0);
    expect(JSON.parse(textOf(filesOf(node).get("quorum-state")))).toEqual({
      leaderId: -1,
      leaderEpoch: 1,
      votedId: 3,
      votedDirectoryId: directoryOf(node.disk).directoryId,
      data_version: 1,
    });
    node.disk.releaseFlushes();
    await cluster.time.until("it starts", () => node.started);
  });

  test("what is not fsynced is not committed, and a crash may take it", async () => {
    const cluster = new Cluster([1]);
    const node = await cluster.start(1);
    await cluster.settle(node.driver.propose([note("kept")]));
    node.disk.holdFlushes();
    const lost = node.driver.propose([note("lost")]);
    await cluster.time.forMs(1_000);
    expect(node.notes.text).toEqual(["kept"]);
    const outcome = codeOf(cluster, lost);
    node.crash();
    expect(await outcome).toBe("STOPPED");
    const again = await cluster.start(1);
    expect(again.notes.text).toEqual(["kept"]);
  });

  test("refusals have names", async () => {
    const cluster = new Cluster([1]);
    const node = cluster.launch(1, 64 << 20);
    expect(await codeOf(cluster, node.driver.propose([note("early")]))).toBe("NOT_LEADER");
    await cluster.time.until("it starts", () => node.started);
    const huge = new Uint8Array(9 << 20);
    expect(await codeOf(cluster, node.driver.propose([huge]))).toBe("REFUSED");
    node.disk.holdFlushes();
    const codes = Array.from({ length: 6 }, () =>
      codeOf(cluster, node.driver.propose([huge.subarray(0, 7 << 20)])),
    );
    expect(await codes.at(-1)).toBe("OVERLOADED");
    void node.driver.stop();
    expect(new Set(await Promise.all(codes))).toEqual(new Set(["STOPPED", "OVERLOADED"]));
    expect(await codeOf(cluster, node.driver.propose([note("late")]))).toBe("STOPPED");
    expect(await codeOf(cluster, node.driver.readBarrier())).toBe("STOPPED");
  });

  test("a failed log ends the controller", async () => {
    const cluster = new Cluster([1]);
    const node = await cluster.start(1);
    node.disk.failWrites = true;
    expect(await codeOf(cluster, node.driver.propose([note("a")]))).toBe("STOPPED");
    expect(node.fatal).toHaveLength(1);
  });

  test("a full arena delays a proposal and does not lose it", async () => {
    const cluster = new Cluster([1]);
    const node = await cluster.start(1, 64 * 1024);
    const run = node.io.arena.allocate(63 * 1024);
    const proposed = node.driver.propose([note("x".repeat(4_000))]);
    await cluster.time.forMs(100);
    expect(node.notes.text).toEqual([]);
    node.io.arena.release(run);
    await cluster.settle(proposed);
    expect(node.notes.text).toHaveLength(1);
  });

  test("a read barrier comes back when everything before it is applied", async () => {
    const cluster = new Cluster([1]);
    const node = await cluster.start(1);
    const proposed = node.driver.propose([note("a")]);
    const index = await cluster.settle(proposed);
    expect(await cluster.settle(node.driver.readBarrier())).toBe(index);
  });

  test("figures for DescribeQuorum", async () => {
    const cluster = new Cluster([1]);
    const node = await cluster.start(1);
    await cluster.settle(node.driver.propose([note("a")]));
    const quorum = node.driver.quorum();
    expect(quorum).toMatchObject({ leaderId: 1, leaderEpoch: 1, highWatermark: 2, observers: [] });
    expect(quorum.voters).toMatchObject([{ replicaId: 1, logEndOffset: 2 }]);
  });
});

describe("snapshots", () => {
  const settings = { snapshotBytes: 200, entriesKept: 2 };

  test("are taken, replace older ones, trim the log, and are restored from", async () => {
    const cluster = new Cluster([1], settings);
    const node = await cluster.start(1);
    const words = Array.from({ length: 60 }, (_, at) => `note ${at} ${"x".repeat(20)}`);
    for (const word of words) await cluster.settle(node.driver.propose([note(word)]));
    await cluster.time.forMs(100);
    const checkpoints = [...filesOf(node).keys()].filter((name) => name.endsWith(".checkpoint"));
    expect(checkpoints).toHaveLength(1);
    const { snapshot, firstIndex } = node.driver.status();
    expect(snapshot.index).toBeGreaterThan(40);
    expect(firstIndex).toBe(snapshot.index - 1);
    expect(checkpoints[0]).toBe(
      `${String(snapshot.index).padStart(20, "0")}-0000000001.checkpoint`,
    );
    expect(directoryOf(node.disk).logs.get(LOG)?.startOffset).toBe(snapshot.index - 2);
    node.crash();

    const again = await cluster.start(1);
    expect(again.notes.restores).toBe(1);
    expect(again.notes.text).toEqual(words);
    // Only what came after the snapshot was applied one by one.
    expect(again.notes.indices[0]).toBe(snapshot.index + 1);
  });

  test("a crash between two checkpoints leaves the newer one", async () => {
    const cluster = new Cluster([1], { snapshotBytes: 1, entriesKept: 0 });
    const node = await cluster.start(1);
    await cluster.settle(node.driver.propose([note("a")]));
    await cluster.time.until("a checkpoint at 2 is written", () =>
      filesOf(node).has("00000000000000000002-0000000001.checkpoint"),
    );
    const older = filesOf(node).get("00000000000000000002-0000000001.checkpoint") as Uint8Array;
    await cluster.settle(node.driver.propose([note("b")]));
    await cluster.time.forMs(100);
    filesOf(node).set("00000000000000000002-0000000001.checkpoint", older);
    node.crash();
    const again = await cluster.start(1);
    expect(again.notes.text).toEqual(["a", "b"]);
  });
});

describe("a directory that is not what it was", () => {
  async function stoppedNode(settings = {}): Promise<{ cluster: Cluster; node: Node }> {
    const cluster = new Cluster([1], settings);
    const node = await cluster.start(1);
    await cluster.settle(node.driver.propose([note("a")]));
    await cluster.time.forMs(100);
    await node.stop();
    return { cluster, node };
  }

  test("without its quorum state", async () => {
    const { cluster, node } = await stoppedNode();
    filesOf(node).delete("quorum-state");
    expect(await startFailure(cluster, 1)).toBe("CORRUPT");
  });

  test("without its checkpoint", async () => {
    const { cluster, node } = await stoppedNode();
    filesOf(node).delete("00000000000000000000-0000000000.checkpoint");
    expect(await startFailure(cluster, 1)).toBe("CORRUPT");
  });

  test("with another disk's vote", async () => {
    const { cluster, node } = await stoppedNode();
    const state = textOf(filesOf(node).get("quorum-state"));
    const own = directoryOf(node.disk).directoryId;
    filesOf(node).set("quorum-state", note(state.replace(own, "AAAAAAAAAAAAAAAAAAAAAg")));
    expect(await startFailure(cluster, 1)).toBe("FORMAT");
  });

  test("with a quorum state that is none", async () => {
    const { cluster, node } = await stoppedNode();
    for (const text of ["", "[]", "{}", '{"data_version":9}', '{"data_version":1,"votedId":1}']) {
      filesOf(node).set("quorum-state", note(text));
      expect(["CORRUPT", "FORMAT"]).toContain(await startFailure(cluster, 1));
      // The failed start holds the directory's lock.
      node.disk.crash();
    }
  });

  test("with a term that is older than its log", async () => {
    const { cluster, node } = await stoppedNode();
    const state = textOf(filesOf(node).get("quorum-state"));
    filesOf(node).set("quorum-state", note(state.replace('"leaderEpoch":1', '"leaderEpoch":0')));
    expect(await startFailure(cluster, 1)).toBe("CORRUPT");
  });

  test("with any flipped byte in its checkpoint", async () => {
    const { cluster, node } = await stoppedNode({ snapshotBytes: 1, entriesKept: 0 });
    const files = filesOf(node);
    const name = [...files.keys()].find((file) => file.endsWith(".checkpoint")) as string;
    const good = files.get(name) as Uint8Array;
    for (const at of [16, 17, 21, 40, 61, good.length - 1]) {
      const bad = good.slice();
      bad[at] = (bad[at] as number) ^ 1;
      files.set(name, bad);
      expect(await startFailure(cluster, 1)).toBe("CORRUPT");
      node.disk.crash();
    }
  });

  test("with damage in acknowledged entries", async () => {
    const { cluster, node } = await stoppedNode();
    node.disk.corrupt("/data", LOG, 1);
    expect(await startFailure(cluster, 1)).toBe("CORRUPT");
  });
});
