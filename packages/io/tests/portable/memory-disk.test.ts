import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Uuid } from "@mantou/base";
import { decodeBatches } from "@mantou/protocol";
import {
  IoError,
  LocateCode,
  MemoryDisk,
  type PortableIo,
  StoreCode,
  openPortableIo,
} from "../../src/index.ts";
import { until } from "../conformance/driver.ts";
import { LogDriver, at, batchOf, id, spec, storeOptions } from "../conformance/log-driver.ts";

const DIRECTORY = "/data";

describe("a disk in memory", () => {
  let disk: MemoryDisk;
  let io: PortableIo;
  let driver: LogDriver;

  const start = (): void => {
    io = openPortableIo({ arenaBytes: 1 << 20, disk });
    driver = new LogDriver(io);
  };

  beforeEach(async () => {
    disk = new MemoryDisk();
    start();
    await driver.open(DIRECTORY, [spec(1), spec(2)]);
  });

  afterEach(async () => {
    disk.releaseFlushes();
    await io.close();
  });

  test("nothing is durable while flushes are held", async () => {
    disk.holdFlushes();
    driver.append(1, [batchOf(2)]);
    await until(() => driver.told("WRITTEN", 1) === 2, "the write");
    driver.append(2, [batchOf(1)]);
    await until(() => driver.told("WRITTEN", 2) === 1, "the other write");
    expect(driver.of("DURABLE")).toEqual([]);
    // Readers see what is in the page cache.
    expect((await driver.range(1, 0)).length).toBeGreaterThan(0);
    disk.releaseFlushes();
    await driver.durable(1);
    await driver.durable(2);
  });

  test("a call that needs the flush waits for it, and other logs do not", async () => {
    disk.holdFlushes();
    driver.append(1, [batchOf(2)]);
    let truncated = false;
    const truncation = io.logs.truncate(id(1), at(0)).then(() => {
      truncated = true;
    });
    await io.logs.segments(id(2));
    expect(truncated).toBe(false);
    disk.releaseFlushes();
    await truncation;
    expect(driver.told("DURABLE", 1)).toBe(2);
  });

  test("a crash forgets what was not flushed", async () => {
    await driver.appendDurably(1, [batchOf(2)]);
    disk.holdFlushes();
    driver.append(1, [batchOf(3), batchOf(4)]);
    await until(() => driver.told("WRITTEN", 1) === 9, "the write");
    const waiting = codeOf(io.logs.truncate(id(1), at(0)));
    disk.crash();
    expect(await waiting).toBe("CLOSED");
    expect(await codeOf(io.logs.segments(id(1)))).toBe("CLOSED");
    start();
    const description = await io.logs.open(storeOptions(DIRECTORY));
    expect(description.clean).toBe(false);
    const [one, two] = await driver.openLogs([spec(1), spec(2)]);
    expect(one?.endOffset).toBe(at(2));
    expect(one?.cutBytes).toBeGreaterThan(0);
    expect(two?.endOffset).toBe(at(0));
    await driver.appendDurably(1, [batchOf(1)]);
    const batches = decodeBatches(await driver.readAll(1, 0));
    expect(batches.map((batch) => batch.baseOffset)).toEqual([0, 2]);
  });

  test("a crash may keep a prefix of what was not flushed", async () => {
    disk.holdFlushes();
    driver.append(1, [batchOf(3), batchOf(4), batchOf(5)]);
    await until(() => driver.told("WRITTEN", 1) === 12, "the write");
    disk.crash((_log, count) => {
      expect(count).toBe(3);
      return 2;
    });
    start();
    const [one] = await driver.open(DIRECTORY, [spec(1)]);
    expect(one?.endOffset).toBe(at(7));
  });

  test("page-cache durability is told at once and does not survive a crash", async () => {
    await driver.openLogs([spec(3, { durability: "page-cache" })]);
    await driver.appendDurably(3, [batchOf(2)]);
    disk.crash();
    start();
    const [state] = await driver.open(DIRECTORY, [spec(3)]);
    expect(state?.endOffset).toBe(at(0));
  });

  test("a failed write takes its log offline until it is opened again", async () => {
    await driver.appendDurably(1, [batchOf(2)]);
    disk.failWrites = true;
    driver.append(1, [batchOf(1)]);
    driver.append(1, [batchOf(1)]);
    const refused = io.logs.segments(id(1));
    expect(await codeOf(refused)).toBe("OFFLINE");
    const failed = await driver.next("LOG_FAILED");
    expect([failed.logId, failed.code, failed.offset]).toEqual([1, StoreCode.WRITE_FAILED, 2]);
    expect((await driver.range(1, 0)).code).toBe(LocateCode.UNAVAILABLE);
    expect(io.network.stats().arenaBytesUsed).toBe(0);
    disk.failWrites = false;
    await driver.appendDurably(2, [batchOf(1)]);
    const [again] = await driver.openLogs([spec(1)]);
    expect(again?.endOffset).toBe(at(2));
    await driver.appendDurably(1, [batchOf(1)]);
  });

  test("a log that is removed while it is opened again stays away", async () => {
    disk.failWrites = true;
    driver.append(1, [batchOf(1)]);
    await driver.next("LOG_FAILED");
    disk.failWrites = false;
    const opening = driver.openLogs([spec(1)]);
    const removal = io.logs.remove(id(1));
    await Promise.all([opening, removal]);
    // Of the same name, and another topic.
    const successor = { ...spec(1), logId: id(9), topicId: "BBBBBBBBBBBBBBBBBBBBBA" as Uuid };
    const [state] = await driver.openLogs([successor]);
    expect(state?.endOffset).toBe(at(0));
  });

  test("a failed flush is fatal for the directory", async () => {
    await driver.appendDurably(2, [batchOf(1)]);
    disk.failFlushes = true;
    driver.append(1, [batchOf(2)]);
    await driver.next("STORE_STATE");
    expect(driver.of("STORE_STATE")[0]?.code).toBe(StoreCode.SYNC_FAILED);
    expect(driver.of("DURABLE").filter((event) => event.logId === 1)).toEqual([]);
    driver.append(2, [batchOf(1)]);
    await until(() => driver.of("LOG_FAILED").length >= 3, "both logs to fail");
    expect(driver.of("LOG_FAILED").every((event) => event.code === StoreCode.SYNC_FAILED)).toBe(
      true,
    );
    expect(await codeOf(driver.openLogs([spec(1)]))).toBe("EIO");
  });

  test("low space is told on its edges, a full disk fails the write", async () => {
    await io.close();
    disk = new MemoryDisk();
    start();
    await io.logs.open({ ...storeOptions(DIRECTORY), freeBytesMin: 10_000 });
    await driver.openLogs([spec(1)]);
    disk.resize(20_000);
    await driver.appendDurably(1, [batchOf(1, 1, 12_000)]);
    await driver.next("STORE_STATE");
    disk.resize(1_000_000);
    await driver.next("STORE_STATE", 2);
    expect(driver.of("STORE_STATE").map((event) => event.code)).toEqual([
      StoreCode.LOW_SPACE,
      StoreCode.OK,
    ]);
    disk.resize(12_500);
    driver.append(1, [batchOf(1, 1, 12_000)]);
    expect((await driver.next("LOG_FAILED")).code).toBe(StoreCode.WRITE_FAILED);
  });

  test("cold reads answer later, with the row's tag", async () => {
    await driver.appendDurably(1, [batchOf(2)]);
    const warm = await driver.range(1, 0);
    disk.pendLocates = true;
    expect(await driver.range(1, 0)).toEqual(warm);
    expect(driver.of("LOCATED").length).toBe(1);
    expect(io.pins.size).toBe(0);
  });

  test("damaged bytes are not served, what lies below is", async () => {
    await driver.appendDurably(1, [batchOf(2), batchOf(3)]);
    await io.close();
    expect(disk.corrupt(DIRECTORY, "topic-1-0", 2)).toBe(true);
    start();
    const [state] = await driver.open(DIRECTORY, [spec(1)]);
    expect(state?.corruptFromOffset).toBe(at(2));
    expect((await driver.range(1, 0)).length).toBe(batchOf(2).length);
    expect((await driver.range(1, 2)).code).toBe(LocateCode.CORRUPT);
    expect((await driver.range(1, 4)).code).toBe(LocateCode.CORRUPT);
  });
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof IoError ? error.code : String(error);
  }
}
