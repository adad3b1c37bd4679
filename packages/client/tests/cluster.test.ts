import { afterEach, expect, test } from "bun:test";
import { ErrorCode, metadataApi } from "@mantou/protocol";
import { parseAddress, parseAddresses } from "../src/addresses.ts";
import { Cluster, type ClusterOptions } from "../src/cluster.ts";
import { BrokerError, ClientError } from "../src/errors.ts";
import { retrying } from "../src/retry.ts";
import { FakeCluster } from "./fake-cluster.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function start(count: number, options: Partial<ClusterOptions> = {}): [FakeCluster, Cluster] {
  const fake = new FakeCluster(count);
  const cluster = new Cluster({ brokers: fake.addresses, retryTimeoutMs: 2000, ...options });
  closers.push(
    () => cluster.close(),
    () => fake.stop(),
  );
  return [fake, cluster];
}

test("addresses", () => {
  expect(parseAddress("a.example:1234")).toEqual({ host: "a.example", port: 1234 });
  expect(parseAddress(" [::1]:19092 ")).toEqual({ host: "::1", port: 19092 });
  expect(parseAddress("a")).toEqual({ host: "a", port: 9092 });
  expect(parseAddresses("a:1,b:2")).toHaveLength(2);
  for (const bad of ["", "a:0", "a:70000", "a:b", "http://a:9092", "a b:1"]) {
    expect(() => parseAddress(bad), bad).toThrow("is not a broker address");
  }
  expect(() => parseAddresses(" , ")).toThrow("no broker address");
});

test("leaders are found, and one connection to each broker is shared", async () => {
  const [fake, cluster] = start(3);
  fake.topic("t", [0, 1, 2, 1]);
  const leaders = await Promise.all([0, 1, 2, 3, 1].map((index) => cluster.leader("t", index)));
  expect(leaders.map((leader) => leader.brokerId)).toEqual([0, 1, 2, 1, 1]);
  expect(leaders[1]?.connection).toBe(leaders[4]?.connection as never);
  expect(leaders.map((leader) => leader.connection.port)).toEqual(
    [0, 1, 2, 1, 1].map((id) => fake.brokers[id]?.port ?? 0),
  );
  expect(fake.brokers.map((broker) => broker.connections)).toEqual([1, 1, 1]);
});

test("a second address is tried when the first refuses", async () => {
  const [fake] = start(2);
  fake.brokers[0]?.stop();
  const cluster = new Cluster({ brokers: fake.addresses });
  closers.push(() => cluster.close());
  expect((await cluster.any()).port).toBe(fake.brokers[1]?.port ?? 0);
});

test("with no broker at all, the last refusal is the error", async () => {
  const [fake, cluster] = start(2);
  fake.stop();
  await expect(cluster.any()).rejects.toThrow("refused the connection");
});

test("a moved leader is found again", async () => {
  const [fake, cluster] = start(2);
  const [partition] = fake.topic("t", [0]);
  if (partition === undefined) throw new Error("no partition");
  await cluster.leader("t", 0);
  partition.leader = 1;
  const asked: number[] = [];
  const found = await cluster.onLeader("t", 0, async ({ brokerId }) => {
    asked.push(brokerId);
    if (brokerId !== partition.leader) {
      throw new BrokerError(ErrorCode.NOT_LEADER_OR_FOLLOWER, "test");
    }
    return brokerId;
  });
  expect(found).toBe(1);
  expect(asked).toEqual([0, 1]);
});

test("a topic that comes late is waited for, one that never comes is an error", async () => {
  const [fake, cluster] = start(1, { retryTimeoutMs: 300 });
  const late = cluster.onLeader("late", 0, async () => "found", 2000);
  await Bun.sleep(30);
  fake.topic("late", [0]);
  expect(await late).toBe("found");
  const never = cluster.onLeader("never", 0, async () => "found");
  await expect(never).rejects.toThrow("topic never: UNKNOWN_TOPIC_OR_PARTITION (3)");
  fake.topicErrors.set("forbidden", ErrorCode.TOPIC_AUTHORIZATION_FAILED);
  const before = fake.brokers[0]?.calls.length ?? 0;
  await expect(cluster.leader("forbidden", 0)).rejects.toThrow("TOPIC_AUTHORIZATION_FAILED");
  expect((fake.brokers[0]?.calls.length ?? 0) - before).toBeLessThanOrEqual(2);
  await expect(cluster.leader("late", 5)).rejects.toThrow("late-5 (the topic has 1 partitions)");
});

test("a broken connection is replaced", async () => {
  const [fake, cluster] = start(1);
  fake.topic("t", [0]);
  const first = (await cluster.leader("t", 0)).connection;
  fake.brokers[0]?.drop();
  await first.closed;
  const second = (await cluster.leader("t", 0)).connection;
  expect(second.isOpen).toBe(true);
  expect(second).not.toBe(first as never);
});

test("a broker that falls silent loses its connection", async () => {
  const [fake, cluster] = start(1);
  fake.topic("t", [0]);
  fake.fault = () => "silent";
  const connection = await cluster.any();
  fake.brokers[0]?.handle(metadataApi, () => new Promise(() => {}));
  const call = cluster.call(connection, metadataApi, { topics: null }, 20);
  await expect(call).rejects.toThrow("did not answer");
  expect(connection.isOpen).toBe(false);
});

test("a closed client says so, at once", async () => {
  const [, cluster] = start(1);
  cluster.close();
  const error = await cluster.leader("t", 0).catch((failure: unknown) => failure);
  expect((error as ClientError).message).toBe("the client is closed");
  expect((error as ClientError).retriable).toBe(false);
});

test("retrying ends with the first error that trying again does not help", async () => {
  let calls = 0;
  const fatal = retrying(5000, async () => {
    calls += 1;
    throw new ClientError(calls < 3 ? "CLOSED" : "USAGE", `attempt ${calls}`);
  });
  await expect(fatal).rejects.toThrow("attempt 3");
  const late = retrying(50, async () => {
    throw new ClientError("CLOSED", "still down");
  });
  await expect(late).rejects.toThrow("still down");
});
