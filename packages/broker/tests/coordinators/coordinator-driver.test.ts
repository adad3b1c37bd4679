import { expect, test } from "bun:test";
import { IoError, MemoryDisk } from "@mantou/io";
import { CompressionType, ErrorCode, encodeBatch, transactionMarker } from "@mantou/protocol";
import { ToyCoordinator } from "./toy-coordinator.ts";

const put = (key: string, value: string) => ({ kind: "put", key, value }) as const;
const BAD = new TextEncoder().encode("bad");
const get = (key: string) => ({ kind: "get", key }) as const;

test("a reply waits for the disk, also one that only read what is not on it yet", async () => {
  const toy = await ToyCoordinator.open();
  await toy.lead(0);
  toy.disk.holdFlushes();
  const written = toy.ask(0, put("a", "1"));
  const read = toy.ask(0, get("a"));
  await toy.run();
  const readLater = toy.ask(0, get("a"));
  await toy.run();
  expect([written, read, readLater]).toEqual([[], [], []]);
  toy.disk.releaseFlushes();
  await toy.run();
  expect([written, read, readLater]).toEqual([["put"], ["1"], ["1"]]);
  // Now that nothing is on its way, an answer does not wait for a tick.
  expect(toy.ask(0, get("a"))).toEqual(["1"]);
});

test("the writes of one tick share a batch, up to the topic's largest", async () => {
  const toy = await ToyCoordinator.open();
  const logId = await toy.lead(0);
  for (let index = 0; index < 10; index += 1) toy.ask(0, put(`k${index}`, "v"));
  await toy.run();
  const [batch] = await toy.batches(logId);
  expect(batch?.records.length).toBe(10);
  expect(batch?.baseSequence).toBe(-1);
  expect(batch?.records[3]?.timestamp).toBe(6000);
  for (let index = 0; index < 10; index += 1) toy.ask(0, put(`k${index}`, "v".repeat(300)));
  await toy.run();
  const sizes = (await toy.batches(logId)).map((each) => each.sizeBytes);
  expect(sizes.length).toBeGreaterThan(3);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1000);
});

test("a write larger than max.message.bytes is one batch of its own", async () => {
  const toy = await ToyCoordinator.open();
  const logId = await toy.lead(0);
  const answer = toy.ask(0, { kind: "large", bytes: 5000 });
  await toy.run();
  expect(answer).toEqual(["put"]);
  expect((await toy.batches(logId)).length).toBe(1);
});

test("a write that no segment holds is refused, and the state is what the log says", async () => {
  const toy = await ToyCoordinator.open();
  await toy.lead(0);
  toy.ask(0, put("a", "1"));
  await toy.run();
  const answer = toy.ask(0, { kind: "large", bytes: 200_000 });
  await toy.run();
  expect(answer).toEqual([ErrorCode.UNKNOWN_SERVER_ERROR]);
  await toy.pass(1000);
  expect(toy.ask(0, get("large"))).toEqual(["none"]);
  expect(toy.ask(0, get("a"))).toEqual(["1"]);
});

test("a transactional write is a batch of its own with its producer", async () => {
  const toy = await ToyCoordinator.open();
  const logId = await toy.lead(0);
  toy.ask(0, put("a", "1"));
  toy.ask(0, { ...put("b", "2"), producerId: 7 });
  toy.ask(0, put("c", "3"));
  await toy.run();
  const batches = await toy.batches(logId);
  expect(batches.map((batch) => [batch.producerId, batch.isTransactional])).toEqual([
    [-1, false],
    [7, true],
    [-1, false],
  ]);
  expect(batches[1]?.baseSequence).toBe(-1);
});

test("a marker lies between the writes before and behind it, and the shard knows it", async () => {
  const toy = await ToyCoordinator.open();
  const logId = await toy.lead(0);
  const done: ErrorCode[] = [];
  toy.ask(0, { ...put("b", "2"), producerId: 7 });
  const control = { producerId: 7, producerEpoch: 0, transactional: true, control: true };
  const bytes = encodeBatch([transactionMarker(true, 0)], control);
  const marker = { producerId: 7, producerEpoch: 0, isCommit: true };
  toy.driver.appendMarker(0, { bytes, offsets: 1 }, marker, (errorCode) => done.push(errorCode));
  toy.ask(0, put("c", "3"));
  expect(done).toEqual([]);
  await toy.run();
  expect(done).toEqual([ErrorCode.NONE]);
  expect(toy.shards[0]?.markers).toEqual([marker]);
  expect((await toy.batches(logId)).map((batch) => batch.isControl)).toEqual([false, true, false]);
  toy.driver.unload(0);
  toy.driver.lead(0, logId);
  await toy.run();
  expect(toy.shards[1]?.markers).toEqual([marker]);
});

test("a shard is loaded from its log, and says so meanwhile", async () => {
  const disk = new MemoryDisk();
  const first = await ToyCoordinator.open(disk);
  await first.lead(3);
  for (let index = 0; index < 5000; index += 1) {
    first.ask(3, put(`key ${index % 700}`, `value ${index} ${"x".repeat(100)}`));
    if (index % 20 === 0) await first.run();
  }
  await first.run();
  const values = new Map(first.shards[0]?.values);
  await first.settle(first.io.close());
  const second = await ToyCoordinator.open(disk);
  expect(second.ask(3, get("key 1"))).toEqual([ErrorCode.NOT_COORDINATOR]);
  await second.lead(3, 2);
  expect(second.ask(3, get("key 1"))).toEqual([ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]);
  await second.run();
  expect(second.shards[0]?.values).toEqual(values);
  expect(second.shards[0]?.leaderEpoch).toBe(2);
  expect(second.ask(3, get("key 1"))).toEqual([values.get("key 1") as string]);
});

test("what no coordinator has written does not keep a shard from being loaded", async () => {
  const toy = await ToyCoordinator.open();
  const logId = await toy.lead(0);
  toy.ask(0, put("a", "1"));
  toy.ask(0, put("bad", "1"));
  await toy.run();
  const foreign = (bytes: Uint8Array): void =>
    toy.coordinators.writer.append(logId, bytes, 1, { assigned: () => {}, settled: () => {} });
  const codecs = { gzip: { compress: (plain: Uint8Array) => plain, decompress: () => BAD } };
  foreign(encodeBatch([{ key: BAD, value: BAD }], { codec: CompressionType.GZIP, codecs }));
  foreign(encodeBatch([{ key: null, value: BAD }]));
  toy.ask(0, put("b", "2"));
  await toy.run();
  toy.driver.unload(0);
  toy.driver.lead(0, logId);
  await toy.run();
  expect(["a", "b"].map((key) => toy.ask(0, get(key))[0])).toEqual(["1", "2"]);
  const [line] = toy.log.filter((each) => each.includes("coordinator_records_skipped"));
  expect(line).toContain('"skipped":2');
});

test("a shard that cannot be read is tried again, more and more rarely, until it can", async () => {
  const toy = await ToyCoordinator.open();
  const logId = await toy.lead(0);
  toy.ask(0, put("a", "1"));
  await toy.run();
  toy.driver.unload(0);
  const { logs } = toy.io;
  const read = logs.read.bind(logs);
  let tries = 0;
  logs.read = async () => {
    tries += 1;
    throw new IoError("EIO", "the disk says no");
  };
  toy.driver.lead(0, logId);
  await toy.run();
  expect(toy.ask(0, get("a"))).toEqual([ErrorCode.NOT_COORDINATOR]);
  for (let second = 0; second < 31; second += 1) await toy.pass(1000);
  // At once, and after 1, 2, 4, 8 and 16 seconds more.
  expect(tries).toBe(6);
  logs.read = read;
  for (let second = 0; second < 32; second += 1) await toy.pass(1000);
  expect(toy.ask(0, get("a"))).toEqual(["1"]);
});

test("partitions without data load at once, and have no shard before somebody asks", async () => {
  const toy = await ToyCoordinator.open();
  for (let partition = 0; partition < 50; partition += 1) await toy.lead(partition);
  expect(toy.shards.length).toBe(0);
  expect(toy.ask(7, get("a"))).toEqual(["none"]);
  expect(toy.shards.length).toBe(1);
  expect(toy.driver.activePartitions()).toEqual([7]);
});

test("leadership goes and comes: whoever waits is refused, and nothing committed is lost", async () => {
  const toy = await ToyCoordinator.open();
  const logId = await toy.lead(0);
  toy.ask(0, put("a", "1"));
  await toy.run();
  const parked = toy.ask(0, { kind: "await", key: "never" });
  toy.ask(0, { kind: "putLater", key: "t", value: "1", afterMs: 10 });
  toy.table.leadership(logId, false, 2);
  toy.coordinators.leadershipMoved("__toy", 0, logId);
  expect(parked).toEqual([ErrorCode.NOT_COORDINATOR]);
  expect(toy.ask(0, get("a"))).toEqual([ErrorCode.NOT_COORDINATOR]);
  expect(toy.driver.figures().timers).toBe(0);
  toy.table.leadership(logId, true, 3);
  toy.coordinators.leadershipMoved("__toy", 0, logId);
  await toy.pass(10);
  expect(toy.ask(0, get("a"))).toEqual(["1"]);
  expect(toy.ask(0, get("t"))).toEqual(["none"]);
  expect(toy.driver.figures().waiting).toBe(0);
});

test("a load that leadership overtakes does not come into force", async () => {
  const disk = new MemoryDisk();
  const toy = await ToyCoordinator.open(disk);
  const logId = await toy.lead(0);
  toy.ask(0, put("a", "1"));
  await toy.run();
  toy.driver.unload(0);
  toy.driver.lead(0, logId);
  toy.driver.unload(0);
  await toy.run();
  expect(toy.ask(0, get("a"))).toEqual([ErrorCode.NOT_COORDINATOR]);
  toy.driver.lead(0, logId);
  await toy.run();
  expect(toy.ask(0, get("a"))).toEqual(["1"]);
});

test("a failed append refuses all who wait; what was acknowledged is there again", async () => {
  const toy = await ToyCoordinator.open();
  const logId = await toy.lead(0);
  toy.ask(0, put("a", "1"));
  await toy.run();
  const parked = toy.ask(0, { kind: "await", key: "never" });
  toy.disk.failWrites = true;
  const refused = toy.ask(0, put("a", "2"));
  const read = toy.ask(0, get("a"));
  await toy.run();
  const notAvailable = ErrorCode.COORDINATOR_NOT_AVAILABLE;
  expect([refused, read, parked]).toEqual([[notAvailable], [notAvailable], [notAvailable]]);
  expect(toy.ask(0, get("a"))).toEqual([ErrorCode.NOT_COORDINATOR]);
  toy.disk.failWrites = false;
  expect(await toy.lead(0)).toBe(logId);
  await toy.run();
  expect(toy.ask(0, get("a"))).toEqual(["1"]);
});

test("a step that throws costs its shard, not its broker", async () => {
  const toy = await ToyCoordinator.open();
  await toy.lead(0);
  toy.ask(0, put("a", "1"));
  await toy.run();
  const parked = toy.ask(0, { kind: "await", key: "b" });
  expect(toy.ask(0, { kind: "throw" })).toEqual([ErrorCode.UNKNOWN_SERVER_ERROR]);
  expect(parked).toEqual([ErrorCode.UNKNOWN_SERVER_ERROR]);
  expect(toy.log.some((line) => line.includes("coordinator_step_failed"))).toBe(true);
  await toy.pass(1000);
  expect(toy.ask(0, get("half"))).toEqual(["none"]);
  expect(toy.ask(0, get("a"))).toEqual(["1"]);
});

test("a reload waits for what is still on its way to the disk", async () => {
  const toy = await ToyCoordinator.open();
  const logId = await toy.lead(0);
  toy.disk.holdFlushes();
  toy.ask(0, put("a", "1"));
  await toy.run();
  toy.driver.unload(0);
  toy.driver.lead(0, logId);
  await toy.run();
  expect(toy.ask(0, get("a"))).toEqual([ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]);
  toy.disk.releaseFlushes();
  await toy.run();
  expect(toy.ask(0, get("a"))).toEqual(["1"]);
});

test("timers: set again they move, cancelled they are gone, due they are commands", async () => {
  const toy = await ToyCoordinator.open();
  await toy.lead(0);
  toy.ask(0, { kind: "putLater", key: "a", value: "1", afterMs: 10 });
  toy.ask(0, { kind: "putLater", key: "b", value: "1", afterMs: 10 });
  toy.ask(0, { kind: "putLater", key: "a", value: "2", afterMs: 30 });
  toy.ask(0, { kind: "cancel", key: "b" });
  expect(toy.coordinators.nextDeadlineMs).toBe(1010);
  await toy.pass(29);
  expect(toy.ask(0, get("a"))).toEqual(["none"]);
  await toy.pass(1);
  expect(toy.ask(0, get("a"))).toEqual(["2"]);
  expect(toy.ask(0, get("b"))).toEqual(["none"]);
  expect(toy.driver.figures().timers).toBe(0);
});

test("a request goes out once what it rests on is durable", async () => {
  const toy = await ToyCoordinator.open();
  await toy.lead(0);
  toy.disk.holdFlushes();
  toy.ask(0, { kind: "putAndRequest", key: "a", value: "1" });
  await toy.run();
  expect(toy.requested).toEqual([]);
  toy.disk.releaseFlushes();
  await toy.run();
  expect(toy.requested).toEqual(["a"]);
});

test("a full arena delays writes and loses none", async () => {
  const toy = await ToyCoordinator.open(new MemoryDisk(), 1 << 20);
  await toy.lead(0);
  const taken: number[] = [];
  for (let run = toy.io.arena.allocate(4096); run !== -1; run = toy.io.arena.allocate(4096)) {
    taken.push(run);
  }
  const answer = toy.ask(0, put("a", "1"));
  toy.coordinators.flush();
  expect(toy.coordinators.nextDeadlineMs).toBe(1005);
  for (const run of taken) toy.io.arena.release(run);
  await toy.run();
  expect(answer).toEqual(["put"]);
});

test("after a stop nobody is answered and no timer fires", async () => {
  const toy = await ToyCoordinator.open();
  await toy.lead(0);
  toy.ask(0, { kind: "putLater", key: "a", value: "1", afterMs: 10 });
  const parked = toy.ask(0, { kind: "await", key: "b" });
  toy.coordinators.stop();
  await toy.pass(100);
  expect(parked).toEqual([]);
  expect(toy.coordinators.nextDeadlineMs).toBe(Infinity);
  expect(toy.ask(0, get("a"))).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE]);
});
