import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { crc32c, decodeBatches } from "@mantou/protocol";
import {
  AppendFlag,
  BATCH_HEADER_DOUBLES,
  BatchHeader,
  IoError,
  LocateCode,
  StoreCode,
} from "../../src/index.ts";
import { Client, request, text, textOf } from "./client.ts";
import { until } from "./driver.ts";
import { type World, engines } from "./engines.ts";
import { LogDriver, at, batchOf, endOfBatches, id, ms, spec, storeOptions } from "./log-driver.ts";

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof IoError ? error.code : String(error);
  }
}

for (const engine of engines) {
  const skipped = engine.unavailable === null ? "" : ` (skipped: ${engine.unavailable})`;
  describe.skipIf(engine.unavailable !== null)(`logs, ${engine.name}${skipped}`, () => {
    let world: World;
    let driver: LogDriver;

    beforeEach(async () => {
      world = engine.world();
      driver = new LogDriver(world.open());
    });

    afterEach(async () => {
      await driver.io.close();
      world.destroy();
    });

    /** Stops cleanly and starts again on the same disk. */
    async function restart(): Promise<void> {
      await driver.io.close();
      driver = new LogDriver(world.open());
    }

    test("a fresh directory is empty, and remembers who it belongs to", async () => {
      const fresh = await driver.io.logs.open(storeOptions(world.dataDirectory));
      expect(fresh.clean).toBe(true);
      expect(fresh.clusterId).toBeNull();
      expect(fresh.nodeId).toBeNull();
      expect(fresh.logs).toEqual([]);
      expect(fresh.directoryId).toMatch(/^[A-Za-z0-9_-]{22}$/);
      await driver.io.logs.format("cluster-of-tests", 7);
      await restart();
      const again = await driver.io.logs.open(storeOptions(world.dataDirectory));
      expect(again.clean).toBe(true);
      expect(again.clusterId).toBe("cluster-of-tests");
      expect(again.nodeId).toBe(7);
      expect(again.directoryId).toBe(fresh.directoryId);
    });

    test("a directory has one owner", async () => {
      await driver.io.logs.open(storeOptions(world.dataDirectory));
      const other = new LogDriver(world.open());
      expect(await codeOf(other.io.logs.open(storeOptions(world.dataDirectory)))).toBe("LOCKED");
      await driver.io.close();
      await other.io.logs.open(storeOptions(world.dataDirectory));
      await other.io.close();
    });

    test("a log without data opens at once and is empty", async () => {
      const [state] = await driver.open(world.dataDirectory, [spec(1)]);
      expect(state).toEqual({
        logId: id(1),
        startOffset: at(0),
        endOffset: at(0),
        largestTimestamp: -1,
        cutBytes: 0,
        corruptFromOffset: null,
      });
      expect(await driver.range(1, 0, 10)).toEqual({
        code: LocateCode.OK,
        position: 0,
        length: 0,
      });
      expect(await driver.io.logs.segments(id(1))).toEqual([]);
      expect((await driver.io.logs.read(id(1), at(0), 100)).length).toBe(0);
    });

    test("an append is written, then durable, with offset and epoch patched", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      const [first, second] = [batchOf(3, 1_000), batchOf(2, 2_000)];
      expect(driver.append(1, [first, second], { leaderEpoch: 9 })).toBe(5);
      await driver.durable(1);
      const order = driver.seen.filter((event) => event.logId === 1).map((event) => event.kind);
      expect(order.indexOf("WRITTEN")).toBeLessThan(order.indexOf("DURABLE"));
      expect(driver.told("WRITTEN", 1)).toBe(5);
      expect(driver.told("DURABLE", 1)).toBe(5);
      const bytes = await driver.io.logs.read(id(1), at(0), 1 << 20);
      const batches = decodeBatches(bytes, { cutOff: "refuse" });
      expect(batches.map((batch) => [batch.baseOffset, batch.lastOffset])).toEqual([
        [0, 2],
        [3, 4],
      ]);
      expect(batches.map((batch) => batch.partitionLeaderEpoch)).toEqual([9, 9]);
      expect(batches[1]?.records.map((record) => record.timestamp)).toEqual([2_000, 2_001]);
      expect(driver.io.network.stats().arenaBytesUsed).toBe(0);
    });

    test("without NOTIFY_WRITTEN only DURABLE is told", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      driver.append(1, [batchOf(1)], { flags: 0 });
      await driver.durable(1);
      expect(driver.of("WRITTEN")).toEqual([]);
    });

    test("page-cache durability tells DURABLE as well", async () => {
      await driver.open(world.dataDirectory, [spec(1, { durability: "page-cache" })]);
      await driver.appendDurably(1, [batchOf(4)]);
      expect(driver.told("DURABLE", 1)).toBe(4);
    });

    test("LOG_APPEND_TIME stamps the batch and redoes its CRC", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      driver.append(1, [batchOf(2, 77)], { flags: AppendFlag.LOG_APPEND_TIME, nowMs: 123_456 });
      await driver.durable(1);
      const bytes = await driver.io.logs.read(id(1), at(0), 1 << 20);
      const [batch] = decodeBatches(bytes);
      expect(batch?.isLogAppendTime).toBe(true);
      expect(batch?.maxTimestamp).toBe(123_456);
      expect(batch?.crc).toBe(crc32c(bytes, 21));
    });

    test("appends of many calls stay in order", async () => {
      await driver.open(world.dataDirectory, [spec(1), spec(2)]);
      for (let round = 0; round < 50; round++) {
        driver.append(1, [batchOf(1 + (round % 3), round)]);
        driver.append(2, [batchOf(1, round), batchOf(2, round)]);
      }
      await driver.durable(1);
      await driver.durable(2);
      for (const log of [1, 2]) {
        const batches = decodeBatches(await driver.readAll(log, 0), { cutOff: "refuse" });
        let next = 0;
        for (const batch of batches) {
          expect(batch.baseOffset).toBe(next);
          next = batch.lastOffset + 1;
        }
        expect(next).toBe(driver.endOf(log));
      }
      const told = driver.seen.filter((event) => event.kind === "DURABLE" && event.logId === 1);
      const offsets = told.map((event) => event.offset);
      expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    });

    test("locate keeps to batch boundaries, limits and sizes", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      const batches = [batchOf(2), batchOf(3), batchOf(5)];
      const [a, b, c] = batches.map((batch) => batch.length) as [number, number, number];
      await driver.appendDurably(1, batches);
      const ok = (position: number, length: number) => ({ code: LocateCode.OK, position, length });
      expect(await driver.range(1, 0)).toEqual(ok(0, a + b + c));
      expect(await driver.range(1, 1)).toEqual(ok(0, a + b + c));
      expect(await driver.range(1, 2)).toEqual(ok(a, b + c));
      expect(await driver.range(1, 4)).toEqual(ok(a, b + c));
      expect(await driver.range(1, 0, 5)).toEqual(ok(0, a + b));
      expect(await driver.range(1, 0, 4)).toEqual(ok(0, a));
      expect(await driver.range(1, 0, 1)).toEqual(ok(0, 0));
      expect(await driver.range(1, 5, 5)).toEqual(ok(0, 0));
      expect(await driver.range(1, 10)).toEqual(ok(0, 0));
      expect(await driver.range(1, 0, 10, a + b)).toEqual(ok(0, a + b));
      expect(await driver.range(1, 0, 10, a + b - 1)).toEqual(ok(0, a));
      expect(await driver.range(1, 0, 10, 1)).toEqual(ok(0, a));
      expect(await driver.range(1, 0, 10, 1, 0)).toEqual(ok(0, 0));
      expect((await driver.range(1, 11, 20)).code).toBe(LocateCode.OUT_OF_RANGE);
      expect((await driver.range(99, 0, 20)).code).toBe(LocateCode.UNAVAILABLE);
    });

    test("a located range travels as part of a response", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.appendDurably(1, [batchOf(2), batchOf(3, 5, 20_000)]);
      const { port } = driver.io.network.listen({
        host: "127.0.0.1",
        port: 0,
        listenerId: 1,
        frameBytesMax: 1000,
      });
      const client = await Client.to(port);
      client.write(request(1));
      const frame = await driver.next("FRAME");
      const whole = await driver.locate(1, 0);
      const part = await driver.locate(1, 2);
      const header = text("header");
      driver.respond(frame, header, whole, text("|"), part, text("end")).release(frame).submit();
      const answer = await client.frame(1);
      const stored = await driver.readAll(1, 0);
      const middle = header.length + whole.length;
      expect(textOf(answer.subarray(0, header.length))).toBe("header");
      expect(Buffer.compare(answer.subarray(header.length, middle), stored)).toBe(0);
      const second = answer.subarray(middle + 1, middle + 1 + part.length);
      expect(Buffer.compare(second, stored.subarray(part.position))).toBe(0);
      expect(textOf(answer.subarray(-3))).toBe("end");
      await client.end();
    });

    test("a pinned range outlives truncation and removal", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.appendDurably(1, [batchOf(1, 1, 1000)]);
      const stored = await driver.readAll(1, 0);
      const pinned = await driver.locate(1, 0);
      await driver.io.logs.remove(id(1));
      const { port } = driver.io.network.listen({
        host: "127.0.0.1",
        port: 0,
        listenerId: 1,
        frameBytesMax: 1000,
      });
      const client = await Client.to(port);
      client.write(request(1));
      const frame = await driver.next("FRAME");
      driver.respond(frame, pinned).release(frame).submit();
      expect(Buffer.compare(await client.frame(1), stored)).toBe(0);
      await client.end();
    });

    test("segments roll by size, and locate stays within one", async () => {
      const batch = batchOf(1, 10, 400);
      const segmentBytes = batch.length * 3 + 10;
      await driver.open(world.dataDirectory, [spec(1, { segmentBytes })]);
      await driver.appendDurably(
        1,
        Array.from({ length: 8 }, () => batch),
      );
      const segments = await driver.io.logs.segments(id(1));
      expect(segments.map((segment) => segment.baseOffset)).toEqual([at(0), at(3), at(6)]);
      expect(segments.map((segment) => segment.bytes)).toEqual([
        batch.length * 3,
        batch.length * 3,
        batch.length * 2,
      ]);
      expect(segments[0]?.largestTimestamp).toBe(10);
      const range = await driver.range(1, 1);
      expect(range).toEqual({
        code: LocateCode.OK,
        position: batch.length,
        length: batch.length * 2,
      });
      expect(endOfBatches(await driver.readAll(1, 0))).toBe(8);
    });

    test("segments roll by time between records, and on demand", async () => {
      await driver.open(world.dataDirectory, [spec(1, { segmentMs: 1_000 })]);
      await driver.appendDurably(1, [batchOf(1, 5_000), batchOf(1, 6_000), batchOf(1, 6_001)]);
      const bases = async (): Promise<number[]> =>
        (await driver.io.logs.segments(id(1))).map((segment) => segment.baseOffset);
      expect(await bases()).toEqual([0, 2]);
      const state = await driver.io.logs.roll(id(1));
      expect(state.endOffset).toBe(at(3));
      await driver.appendDurably(1, [batchOf(1, 6_002)]);
      expect(await bases()).toEqual([0, 2, 3]);
    });

    test("truncate drops whole batches, and the log goes on from there", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.appendDurably(1, [batchOf(2), batchOf(3), batchOf(5)]);
      const state = await driver.io.logs.truncate(id(1), at(5));
      expect(state.endOffset).toBe(at(5));
      expect(endOfBatches(await driver.readAll(1, 0))).toBe(5);
      expect((await driver.range(1, 6, 20)).code).toBe(LocateCode.OUT_OF_RANGE);
      driver.setEnd(1, 5);
      await driver.appendDurably(1, [batchOf(4, 9_000)]);
      const batches = decodeBatches(await driver.readAll(1, 0), { cutOff: "refuse" });
      expect(batches.map((batch) => batch.baseOffset)).toEqual([0, 2, 5]);
      await restart();
      const [again] = await driver.open(world.dataDirectory, [spec(1)]);
      expect(again?.endOffset).toBe(at(9));
      expect(again?.largestTimestamp).toBe(9_003);
    });

    test("truncate takes effect behind the appends that came before it", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      driver.append(1, [batchOf(2), batchOf(3)]);
      const truncated = driver.io.logs.truncate(id(1), at(2));
      expect((await truncated).endOffset).toBe(at(2));
      driver.setEnd(1, 2);
      await driver.appendDurably(1, [batchOf(1)]);
      expect(endOfBatches(await driver.readAll(1, 0))).toBe(3);
    });

    test("truncate to the start leaves an empty log that goes on", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.appendDurably(1, [batchOf(2), batchOf(3)]);
      const state = await driver.io.logs.truncate(id(1), at(0));
      expect([state.startOffset, state.endOffset]).toEqual([at(0), at(0)]);
      driver.setEnd(1, 0);
      await driver.appendDurably(1, [batchOf(1)]);
      expect(endOfBatches(await driver.readAll(1, 0))).toBe(1);
    });

    test("trim moves the start and deletes what lies wholly below", async () => {
      const batch = batchOf(2, 10, 400);
      const segmentBytes = batch.length * 2;
      await driver.open(world.dataDirectory, [spec(1, { segmentBytes })]);
      await driver.appendDurably(
        1,
        Array.from({ length: 6 }, () => batch),
      );
      const state = await driver.io.logs.trim(id(1), at(5));
      expect([state.startOffset, state.endOffset]).toEqual([at(5), at(12)]);
      const segments = await driver.io.logs.segments(id(1));
      expect(segments.map((segment) => segment.baseOffset)).toEqual([at(4), at(8)]);
      expect((await driver.range(1, 4)).code).toBe(LocateCode.OUT_OF_RANGE);
      expect((await driver.range(1, 5)).code).toBe(LocateCode.OK);
      expect((await driver.io.logs.trim(id(1), at(3))).startOffset).toBe(at(5));
      await restart();
      const [again] = await driver.open(world.dataDirectory, [spec(1, { segmentBytes })]);
      expect([again?.startOffset, again?.endOffset]).toEqual([at(5), at(12)]);
    });

    test("trim to the end leaves an empty log that begins there, beyond it is refused", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.appendDurably(1, [batchOf(2)]);
      expect(await codeOf(driver.io.logs.trim(id(1), at(3)))).toBe("OUT_OF_RANGE");
      const state = await driver.io.logs.trim(id(1), at(2));
      expect([state.startOffset, state.endOffset]).toEqual([at(2), at(2)]);
      await driver.appendDurably(1, [batchOf(3)]);
      expect((await driver.range(1, 1)).code).toBe(LocateCode.OUT_OF_RANGE);
      expect((await driver.range(1, 2)).length).toBe(batchOf(3).length);
      await restart();
      const [again] = await driver.open(world.dataDirectory, [spec(1)]);
      expect([again?.startOffset, again?.endOffset]).toEqual([at(2), at(5)]);
    });

    test("truncate within a batch drops it whole", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.appendDurably(1, [batchOf(2), batchOf(3), batchOf(5)]);
      const state = await driver.io.logs.truncate(id(1), at(4));
      expect(state.endOffset).toBe(at(2));
      driver.setEnd(1, 2);
      await driver.appendDurably(1, [batchOf(1)]);
      expect(endOfBatches(await driver.readAll(1, 0))).toBe(3);
    });

    test("retention by time and by size deletes from the old end only", async () => {
      const batch = batchOf(1, 0, 400);
      const timed = (timestamp: number) => batchOf(1, timestamp, 400);
      const segmentBytes = batch.length + 100;
      const sizeOf = timed(1_000).length;
      await driver.open(world.dataDirectory, [spec(1, { segmentBytes })]);
      await driver.appendDurably(1, [1_000, 2_000, 3_000, 4_000, 5_000].map(timed));
      const starts = async (
        retentionMs: number,
        retentionBytes: number,
        limit: number,
        now: number,
      ): Promise<number> => {
        const { retain } = driver.io.logs;
        const state = await retain.call(
          driver.io.logs,
          ...([id(1), retentionMs, retentionBytes, at(limit), ms(now)] as const),
        );
        return state.startOffset;
      };
      expect(await starts(-1, -1, 5, 1e12)).toBe(0);
      expect(await starts(Infinity, Infinity, 5, 1e12)).toBe(0);
      expect(await starts(1_000, -1, 5, 2_000)).toBe(0);
      expect(await starts(1_000, -1, 5, 2_001)).toBe(1);
      expect(await starts(1_000, -1, 1, 1e12)).toBe(1);
      expect(await starts(-1, sizeOf * 3 + 1, 5, 0)).toBe(1);
      expect(await starts(-1, sizeOf * 3, 5, 0)).toBe(2);
      expect(await starts(1_000, -1, 5, 1e12)).toBe(5);
      expect(await driver.io.logs.segments(id(1))).toEqual([
        { baseOffset: at(5), bytes: 0, largestTimestamp: -1 },
      ]);
      await driver.appendDurably(1, [timed(9_000)]);
      expect(endOfBatches(await driver.readAll(1, 5))).toBe(6);
    });

    test("a log that was only opened rolls, and expires whole", async () => {
      await driver.open(world.dataDirectory, [spec(1), spec(2)]);
      await driver.appendDurably(1, [batchOf(2, 100)]);
      await driver.appendDurably(2, [batchOf(3, 100)]);
      await restart();
      await driver.open(world.dataDirectory, [spec(1), spec(2)]);
      expect((await driver.io.logs.roll(id(1))).endOffset).toBe(at(2));
      const state = await driver.io.logs.retain(id(2), 10, -1, at(3), ms(1_000));
      expect([state.startOffset, state.endOffset]).toEqual([at(3), at(3)]);
      await driver.appendDurably(1, [batchOf(1)]);
      await driver.appendDurably(2, [batchOf(1)]);
      const bases = (await driver.io.logs.segments(id(1))).map((segment) => segment.baseOffset);
      expect(bases).toEqual([at(0), at(2)]);
    });

    test("timestamps are found exactly", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.appendDurably(1, [batchOf(3, 100), batchOf(3, 500), batchOf(3, 300)]);
      const find = (timestamp: number, limit = 9) =>
        driver.io.logs.findTimestamp(id(1), timestamp, at(limit));
      expect(await find(0)).toEqual({ offset: at(0), timestamp: 100 });
      expect(await find(102)).toEqual({ offset: at(2), timestamp: 102 });
      expect(await find(103)).toEqual({ offset: at(3), timestamp: 500 });
      expect(await find(502)).toEqual({ offset: at(5), timestamp: 502 });
      expect(await find(503)).toBeNull();
      expect(await find(501, 4)).toBeNull();
      const largest = (limit: number) => driver.io.logs.findMaxTimestamp(id(1), at(limit));
      expect(await largest(9)).toEqual({ offset: at(5), timestamp: 502 });
      expect(await largest(5)).toEqual({ offset: at(4), timestamp: 501 });
      expect(await largest(2)).toEqual({ offset: at(1), timestamp: 101 });
      expect(await largest(0)).toBeNull();
      await driver.io.logs.trim(id(1), at(1));
      expect(await find(0)).toEqual({ offset: at(1), timestamp: 101 });
    });

    test("headers are read batch by batch", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.appendDurably(1, [batchOf(2, 10), batchOf(3, 20), batchOf(1, 30)]);
      const rows = await driver.io.logs.readHeaders(id(1), at(3), 10);
      expect(rows.length).toBe(2 * BATCH_HEADER_DOUBLES);
      expect(rows[BatchHeader.baseOffset]).toBe(2);
      expect(rows[BatchHeader.lastOffsetDelta]).toBe(2);
      expect(rows[BatchHeader.maxTimestamp]).toBe(22);
      expect(rows[BatchHeader.producerId]).toBe(-1);
      expect(rows[BatchHeader.producerEpoch]).toBe(-1);
      expect(rows[BatchHeader.baseSequence]).toBe(-1);
      expect(rows[BatchHeader.attributes]).toBe(0);
      expect(rows[BatchHeader.leaderEpoch]).toBe(3);
      expect(rows[BATCH_HEADER_DOUBLES + BatchHeader.baseOffset]).toBe(5);
      const one = await driver.io.logs.readHeaders(id(1), at(0), 1);
      expect(one.length).toBe(BATCH_HEADER_DOUBLES);
      expect((await driver.io.logs.readHeaders(id(1), at(6), 10)).length).toBe(0);
    });

    test("read gives whole batches, at least one", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      const batches = [batchOf(2), batchOf(3)];
      await driver.appendDurably(1, batches);
      const read = async (from: number, bytesMax: number): Promise<number> =>
        (await driver.io.logs.read(id(1), at(from), bytesMax)).length;
      const [a, b] = batches.map((batch) => batch.length) as [number, number];
      expect(await read(0, 1)).toBe(a);
      expect(await read(0, a + b)).toBe(a + b);
      expect(await read(1, a + b - 1)).toBe(a);
      expect(await read(2, 1)).toBe(b);
      expect(await read(5, 1000)).toBe(0);
    });

    test("small files are whole, named plainly, and survive", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      const { logs } = driver.io;
      const content = text("content");
      const stored = logs.putFile(id(1), "producers.snapshot", content);
      content.fill(0);
      await stored;
      await logs.putFile(null, "vote", text("1"));
      await logs.putFile(null, "vote", text("22"));
      await logs.putFile(null, "gone", text("3"));
      await logs.removeFile(null, "gone");
      await logs.removeFile(null, "never");
      expect(textOf((await logs.getFile(id(1), "producers.snapshot")) ?? undefined)).toBe(
        "content",
      );
      expect(await logs.getFile(id(1), "vote")).toBeNull();
      expect(await logs.listFiles(id(1))).toEqual(["producers.snapshot"]);
      for (const name of ["../escape", "a/b", "", ".", "..", "x".repeat(300)]) {
        expect(await codeOf(logs.putFile(null, name, content))).toBe("INVALID");
      }
      await restart();
      await driver.open(world.dataDirectory, [spec(1)]);
      expect(textOf((await driver.io.logs.getFile(null, "vote")) ?? undefined)).toBe("22");
      expect(await driver.io.logs.getFile(null, "gone")).toBeNull();
      expect(await driver.io.logs.listFiles(null)).toEqual(["vote"]);
      expect(await driver.io.logs.listFiles(id(1))).toEqual(["producers.snapshot"]);
    });

    test("what was stored is found after a clean stop", async () => {
      await driver.open(world.dataDirectory, [spec(1), spec(2)]);
      await driver.appendDurably(1, [batchOf(2), batchOf(3, 7_000)]);
      const before = await driver.readAll(1, 0);
      await restart();
      const described = await driver.io.logs.open(storeOptions(world.dataDirectory));
      expect(described.clean).toBe(true);
      expect(described.logs).toContainEqual({
        topic: "topic-1",
        topicId: spec(1).topicId,
        partition: 0,
      });
      const [one, two] = await driver.openLogs([spec(11, {}, 1), spec(12, {}, 2)]);
      expect(one).toEqual({
        logId: id(11),
        startOffset: at(0),
        endOffset: at(5),
        largestTimestamp: 7_002,
        cutBytes: 0,
        corruptFromOffset: null,
      });
      expect(two?.endOffset).toBe(at(0));
      expect(Buffer.compare(await driver.readAll(11, 0), before)).toBe(0);
      await driver.appendDurably(11, [batchOf(1)]);
      expect(driver.endOf(11)).toBe(6);
    });

    test("a removed log is gone, its name free for another topic", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.appendDurably(1, [batchOf(2)]);
      await driver.io.logs.remove(id(1));
      expect((await driver.range(1, 0, 2)).code).toBe(LocateCode.UNAVAILABLE);
      expect(await codeOf(driver.io.logs.read(id(1), at(0), 100))).toBe("UNKNOWN_LOG");
      const other = { ...spec(2, {}, 1), topicId: spec(77).topicId };
      const [state] = await driver.openLogs([other]);
      expect(state?.endOffset).toBe(at(0));
      await driver.appendDurably(2, [batchOf(1)]);
      await restart();
      const described = await driver.io.logs.open(storeOptions(world.dataDirectory));
      expect(described.logs).toEqual([
        { topic: "topic-1", topicId: spec(77).topicId, partition: 0 },
      ]);
    });

    test("an append to a log that is not open fails by event, and keeps no memory", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      driver.append(42, [batchOf(1)]);
      const failed = await driver.next("LOG_FAILED");
      expect(failed.logId).toBe(42);
      expect(failed.code).toBe(StoreCode.CLOSED);
      await until(() => driver.io.network.stats().arenaBytesUsed === 0, "the arena to be empty");
    });

    test("calls on a log that is not open are refused by name", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      const { logs } = driver.io;
      for (const call of [
        logs.truncate(id(9), at(0)),
        logs.segments(id(9)),
        logs.remove(id(9)),
        logs.putFile(id(9), "name", text("")),
        logs.findTimestamp(id(9), 0, at(1)),
      ]) {
        expect(await codeOf(call)).toBe("UNKNOWN_LOG");
      }
    });

    test("sizes are the bytes of the logs", async () => {
      await driver.open(world.dataDirectory, [spec(1), spec(2)]);
      const batch = batchOf(2);
      await driver.appendDurably(1, [batch, batch]);
      const bytes = new Float64Array(3);
      driver.io.logs.sizes(Uint32Array.of(1, 2, 99), bytes);
      expect([...bytes]).toEqual([batch.length * 2, 0, 0]);
      expect(driver.io.logs.stats().appendedBytesTotal).toBe(batch.length * 2);
    });

    test("a checkpoint changes nothing that can be seen", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      driver.append(1, [batchOf(2)]);
      await driver.io.logs.checkpoint();
      await driver.durable(1);
      expect(endOfBatches(await driver.readAll(1, 0))).toBe(2);
    });
  });
}
