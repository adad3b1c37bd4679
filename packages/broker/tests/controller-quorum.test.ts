import { describe, expect, test } from "bun:test";
import { ControllerError } from "../src/drivers/controller-errors.ts";
import { Cluster, type Node, note } from "./controller-cluster.ts";

async function refusal(cluster: Cluster, promise: Promise<unknown>): Promise<ControllerError> {
  const error: unknown = await cluster.settle(promise).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ControllerError);
  return error as ControllerError;
}

const others = (nodes: readonly Node[], node: Node): Node[] =>
  nodes.filter((other) => other !== node && other.isUp);

const agree = (cluster: Cluster, nodes: readonly Node[], text: readonly string[]): Promise<void> =>
  cluster.time.until(`everybody has ${text.join(", ")}`, () =>
    nodes.every((node) => JSON.stringify(node.notes.text) === JSON.stringify(text)),
  );

describe("three voters", () => {
  test("elect a leader, replicate, and name it to whoever asks the wrong one", async () => {
    const cluster = new Cluster([1, 2, 3]);
    const nodes = await cluster.startAll();
    const leader = await cluster.leader();
    await cluster.settle(leader.driver.propose([note("a"), note("b")]));
    await agree(cluster, nodes, ["a", "b"]);
    const follower = others(nodes, leader)[0] as Node;
    const error = await refusal(cluster, follower.driver.propose([note("c")]));
    expect([error.code, error.leader]).toEqual(["NOT_LEADER", leader.id]);
    expect(follower.roles.at(-1)).toMatchObject({ role: "follower", leader: leader.id });
    expect(follower.driver.quorum().leaderId).toBe(leader.id);
    expect(leader.driver.quorum().voters.map(({ logEndOffset }) => logEndOffset)).toEqual([
      3, 3, 3,
    ]);
  });

  test("go on without their leader, which catches up when it comes back", async () => {
    const cluster = new Cluster([1, 2, 3]);
    const nodes = await cluster.startAll();
    const first = await cluster.leader();
    await cluster.settle(first.driver.propose([note("a")]));
    first.crash();
    const second = await cluster.leader();
    expect(second.id).not.toBe(first.id);
    await cluster.settle(second.driver.propose([note("b")]));
    await agree(cluster, others(nodes, first), ["a", "b"]);
    const back = await cluster.start(first.id);
    await agree(cluster, [back], ["a", "b"]);
    expect(back.isLeader).toBe(false);
  });

  test("cut the entries of a leader that nobody heard, at the edge of a proposal", async () => {
    const cluster = new Cluster([1, 2, 3]);
    const nodes = await cluster.startAll();
    const deposed = await cluster.leader();
    await cluster.settle(deposed.driver.propose([note("a")]));
    await agree(cluster, nodes, ["a"]);
    cluster.isolate(deposed.id);
    const unheard = ["x", "y", "z"].map((text) => deposed.driver.propose([note(text), note(text)]));
    const errors = await Promise.all(unheard.map((promise) => refusal(cluster, promise)));
    expect(errors.map(({ code }) => code)).toEqual(Array(3).fill("LEADERSHIP_LOST"));
    const leader = await cluster.leader();
    await cluster.settle(leader.driver.propose([note("b")]));
    cluster.cut.clear();
    await agree(cluster, nodes, ["a", "b"]);
    // The cut is on the disk too.
    await cluster.time.forMs(50);
    deposed.crash();
    const back = await cluster.start(deposed.id);
    await agree(cluster, [back], ["a", "b"]);
    expect(nodes.flatMap(({ fatal }) => fatal)).toEqual([]);
  });

  test("bring a follower up with a snapshot, which survives its crash", async () => {
    const cluster = new Cluster([1, 2, 3], { snapshotBytes: 50, entriesKept: 0 });
    const nodes = await cluster.startAll();
    const leader = await cluster.leader();
    const late = others(nodes, leader)[0] as Node;
    await cluster.settle(leader.driver.propose([note("before")]));
    await agree(cluster, nodes, ["before"]);
    late.crash();
    const words = Array.from({ length: 20 }, (_, at) => `word ${at} ${"x".repeat(30)}`);
    for (const word of words) await cluster.settle(leader.driver.propose([note(word)]));
    const back = await cluster.start(late.id);
    await agree(cluster, [back], ["before", ...words]);
    expect(cluster.sent.some(({ type }) => type === "installSnapshot")).toBe(true);
    expect(back.notes.restores).toBeGreaterThan(0);
    back.crash();
    const again = await cluster.start(late.id);
    await agree(cluster, [again], ["before", ...words]);
    await cluster.settle(leader.driver.propose([note("after")]));
    await agree(cluster, [again, leader], ["before", ...words, "after"]);
  });

  test("hand leadership over, and answer a read barrier only from the leader", async () => {
    const cluster = new Cluster([1, 2, 3]);
    const nodes = await cluster.startAll();
    const leader = await cluster.leader();
    const target = others(nodes, leader)[0] as Node;
    leader.driver.transferLeadership(target.id);
    await cluster.time.until("the target leads", () => target.isLeader);
    const index = await cluster.settle(target.driver.propose([note("a")]));
    expect(await cluster.settle(target.driver.readBarrier())).toBe(index);
    const error = await refusal(cluster, leader.driver.readBarrier());
    expect([error.code, error.leader]).toEqual(["NOT_LEADER", target.id]);
  });
});

test("a cluster of one grows to three and loses its first member", async () => {
  const cluster = new Cluster([1], { entriesKept: 0 });
  const first = await cluster.start(1);
  await cluster.settle(first.driver.propose([note("a")]));
  for (const id of [2, 3]) {
    const joining = cluster.launch(id);
    await cluster.settle(first.driver.changeMembership({ type: "addLearner", id }));
    await cluster.time.until(`${id} has caught up`, () => joining.started);
    expect(joining.notes.text).toEqual(["a"]);
    await cluster.settle(first.driver.changeMembership({ type: "promote", id }));
  }
  expect(first.driver.status().membership).toEqual({ voters: [1, 2, 3], learners: [] });
  const removed = first.driver.changeMembership({ type: "remove", id: 1 });
  await cluster.settle(removed);
  const leader = await cluster.leader();
  expect(leader.id).not.toBe(1);
  await cluster.settle(leader.driver.propose([note("b")]));
  await agree(cluster, [cluster.nodes.get(2) as Node, cluster.nodes.get(3) as Node], ["a", "b"]);
});
