import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  CompressionType,
  type DecodedBatch,
  type RecordInput,
  decodeBatches,
  encodeBatch,
  transactionMarker,
} from "@mantou/protocol";
import { type CleanOutcome, type CleanRequest, IoError } from "../../src/index.ts";
import { type World, engines, gzipOnly } from "./engines.ts";
import { LogDriver, at, id, ms, spec } from "./log-driver.ts";

const NOW = 1_000_000;
// Many fsyncs, on whatever disk there is.
setDefaultTimeout(60_000);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Pair = readonly [key: string | null, value: string | null];

const recordsOf = (pairs: readonly Pair[], timestamp: number): RecordInput[] =>
  pairs.map(([key, value], index) => ({
    key: key === null ? null : encoder.encode(key),
    value: value === null ? null : encoder.encode(value),
    timestamp: timestamp + index,
    headers: [{ key: "h", value: null }],
  }));

for (const engine of engines) {
  const skipped = engine.unavailable === null ? "" : ` (skipped: ${engine.unavailable})`;
  describe.skipIf(engine.unavailable !== null)(`compaction, ${engine.name}${skipped}`, () => {
    let world: World;
    let driver: LogDriver;

    beforeEach(async () => {
      world = engine.world();
      driver = new LogDriver(world.open());
      await driver.open(world.dataDirectory, [spec(1)]);
    });

    afterEach(async () => {
      await driver.io.close();
      world.destroy();
    });

    const put = (
      pairs: readonly Pair[],
      options: Parameters<typeof encodeBatch>[1] = {},
    ): Promise<number> =>
      driver.appendDurably(1, [encodeBatch(recordsOf(pairs, 5_000 + driver.endOf(1)), options)]);

    const mark = (producerId: number, committed: boolean): Promise<number> =>
      driver.appendDurably(1, [
        encodeBatch([{ ...transactionMarker(committed, 3), timestamp: 5_000 + driver.endOf(1) }], {
          producerId,
          producerEpoch: 0,
          transactional: true,
          control: true,
        }),
      ]);

    const transactional = (producerId: number) => ({
      producerId,
      producerEpoch: 0,
      baseSequence: 0,
      transactional: true,
    });

    async function clean(change: Partial<CleanRequest> = {}): Promise<CleanOutcome> {
      await driver.io.logs.roll(id(1));
      await driver.io.logs.checkpoint();
      return driver.io.logs.clean(id(1), {
        firstDirtyOffset: at(0),
        limit: at(driver.endOf(1)),
        nowMs: ms(NOW),
        deleteRetentionMs: 1000,
        mapBytes: 1 << 20,
        inflatedBytesMax: 1 << 20,
        bytesPerSecondMax: Infinity,
        producers: [],
        ...change,
      });
    }

    async function batches(): Promise<DecodedBatch[]> {
      return decodeBatches(await driver.readAll(1, 0), { codecs: gzipOnly });
    }

    /** "offset key=value" of every record. */
    async function records(): Promise<string[]> {
      const all = await batches();
      return all
        .filter((batch) => !batch.isControl)
        .flatMap((batch) => batch.records)
        .map(({ offset, key, value, timestamp }) => {
          expect(timestamp).toBeGreaterThanOrEqual(5_000);
          const text = (bytes: Uint8Array | null): string =>
            bytes === null ? "null" : decoder.decode(bytes);
          return `${offset} ${text(key)}=${text(value)}`;
        });
    }

    test("the newest record of each key stays, with its offset, time and headers", async () => {
      await put([
        ["a", "1"],
        ["b", "1"],
        ["a", "2"],
      ]);
      await put(
        [
          ["c", "1"],
          ["b", "2"],
          [null, "no key"],
        ],
        {
          codec: CompressionType.GZIP,
          codecs: gzipOnly,
        },
      );
      await driver.io.logs.roll(id(1));
      await put([["a", "3"]]);
      const outcome = await clean();
      expect(outcome).toMatchObject({
        cleanEndOffset: at(7),
        keys: 3,
        recordsKept: 3,
        recordsRemoved: 4,
        isMapFull: false,
      });
      expect(await records()).toEqual(["3 c=1", "4 b=2", "6 a=3"]);
      const [first, second] = await batches();
      expect(first).toMatchObject({ baseOffset: 3, lastOffset: 5, codec: CompressionType.GZIP });
      expect(first?.records[0]?.headers).toEqual([{ key: "h", value: null }]);
      expect(first?.records.map((record) => record.timestamp)).toEqual([5_003, 5_004]);
      expect(second).toMatchObject({ baseOffset: 6 });
      expect(await driver.range(1, 5)).toMatchObject({ code: 0 });
      expect((await driver.io.logs.segments(id(1))).map((segment) => segment.baseOffset)).toEqual([
        at(0),
        at(7),
      ]);
      expect(driver.io.logs.stats().cleaner).toMatchObject({ runsTotal: 1, failuresTotal: 0 });
    });

    test("what has no value goes when its horizon has passed", async () => {
      await put([
        ["a", "1"],
        ["b", "1"],
      ]);
      await put([
        ["a", null],
        ["b", "2"],
      ]);
      await clean();
      expect(await records()).toEqual(["2 a=null", "3 b=2"]);
      const [batch] = await batches();
      expect((batch as DecodedBatch).baseTimestamp).toBe(NOW + 1000);
      expect((batch as DecodedBatch).hasDeleteHorizon).toBe(true);
      await put([["c", "1"]]);
      await clean({ firstDirtyOffset: at(4), nowMs: ms(NOW + 999) });
      expect(await records()).toEqual(["2 a=null", "3 b=2", "4 c=1"]);
      await put([["d", "1"]]);
      await clean({ firstDirtyOffset: at(5), nowMs: ms(NOW + 1000) });
      expect(await records()).toEqual(["3 b=2", "4 c=1", "5 d=1"]);
    });

    test("aborted records go, then their marker; what is open is not touched", async () => {
      await put([["a", "good"]]);
      await put([["a", "aborted"]], transactional(7));
      await put([["b", "committed"]], transactional(8));
      await mark(7, false);
      await mark(8, true);
      await put([["a", "open"]], transactional(9));
      await put([["b", "later"]]);
      const outcome = await clean();
      expect(outcome.cleanEndOffset).toBe(at(5));
      expect(await records()).toEqual(["0 a=good", "2 b=committed", "5 a=open", "6 b=later"]);
      await mark(9, false);
      const markers = async (): Promise<number[]> =>
        (await batches()).filter((batch) => batch.isControl).map((batch) => batch.baseOffset);
      expect(await markers()).toEqual([3, 4, 7]);
      await clean({ firstDirtyOffset: at(5) });
      expect(await records()).toEqual(["0 a=good", "6 b=later"]);
      expect(await markers()).toEqual([3, 4, 7]);
      await put([["x", "1"]]);
      await clean({ firstDirtyOffset: at(8), nowMs: ms(NOW + 1000) });
      expect(await markers()).toEqual([4, 7]);
      await put([["y", "1"]]);
      await clean({ firstDirtyOffset: at(9), nowMs: ms(NOW + 3000) });
      expect(await markers()).toEqual([]);
    });

    test("a live producer's last batch stays as a header", async () => {
      const producer = { producerId: 5, producerEpoch: 2, baseSequence: 40 };
      await put(
        [
          ["a", "1"],
          ["a", "2"],
        ],
        producer,
      );
      await put([["a", "3"]]);
      await clean({ producers: [5, 2, 1] });
      const [header, last] = await batches();
      expect(header).toMatchObject({
        baseOffset: 0,
        lastOffset: 1,
        producerId: 5,
        producerEpoch: 2,
        baseSequence: 40,
        baseTimestamp: -1,
        records: [],
      });
      expect(last).toMatchObject({ baseOffset: 2 });
      const rows = await driver.io.logs.readHeaders(id(1), at(0), 10);
      expect([...rows.slice(0, 6)]).toEqual([0, 1, 5_001, 5, 2, 40]);
      expect(await driver.io.logs.findMaxTimestamp(id(1), at(3))).toEqual({
        offset: at(2),
        timestamp: 5_002,
      });
      await clean({ producers: [] });
      expect((await batches()).map((batch) => batch.baseOffset)).toEqual([2]);
      await put([["b", "1"]]);
      await clean({ firstDirtyOffset: at(3) });
      expect((await batches()).map((batch) => batch.baseOffset)).toEqual([2, 3]);
    });

    test("memory that runs out ends a run early; the next one goes on", async () => {
      for (let round = 0; round < 10; round += 1) {
        const pairs: Pair[] = [];
        for (let key = 0; key < 10; key += 1) pairs.push([`key ${round * 5 + key}`, "v"]);
        await put(pairs);
      }
      let firstDirtyOffset = at(0);
      let runs = 0;
      while (firstDirtyOffset < 100) {
        const outcome = await clean({ firstDirtyOffset, mapBytes: 24 * 20 });
        expect(outcome.keys).toBeLessThanOrEqual(18);
        expect(outcome.cleanEndOffset).toBeGreaterThan(firstDirtyOffset);
        firstDirtyOffset = outcome.cleanEndOffset;
        runs += 1;
      }
      expect(runs).toBeGreaterThan(3);
      expect(await records()).toHaveLength(55);
    });

    test("a payload beyond its bound is reported, and nothing is changed", async () => {
      const codec = CompressionType.GZIP;
      await put(
        [
          ["a", "x".repeat(50_000)],
          ["a", "y"],
        ],
        { codec, codecs: gzipOnly },
      );
      const refused = await clean({ inflatedBytesMax: 10_000 }).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(IoError);
      expect((refused as IoError).code).toBe("CORRUPT");
      expect(await records()).toHaveLength(2);
      expect(driver.io.logs.stats().cleaner.failuresTotal).toBe(1);
    });

    test("what was cleaned is found again after a restart", async () => {
      for (let round = 0; round < 20; round += 1) {
        await put([
          ["a", `${round}`],
          [`key ${round % 3}`, `${round}`],
        ]);
      }
      await clean();
      const before = await records();
      expect(before).toHaveLength(4);
      await driver.io.close();
      driver = new LogDriver(world.open());
      const [state] = await driver.open(world.dataDirectory, [spec(1)]);
      expect(state).toMatchObject({ startOffset: at(0), endOffset: at(40) });
      expect(await records()).toEqual(before);
    });
  });
}

const both = engines.every((engine) => engine.unavailable === null);
describe.skipIf(!both)("compaction, both engines", () => {
  test("leave the same bytes after the same random life", async () => {
    for (let seed = 1; seed <= 4; seed += 1) {
      const left: string[] = [];
      for (const engine of engines) left.push(await randomLife(engine.world(), seed));
      expect(left[0], `seed ${seed}`).toBe(left[1] as string);
    }
  });
});

/** Appends and cleans at random; gives the log's bytes in hexadecimal. */
async function randomLife(world: World, seed: number): Promise<string> {
  let state = seed;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  const driver = new LogDriver(world.open());
  await driver.open(world.dataDirectory, [spec(1, { segmentBytes: 2000 })]);
  const open = new Map<number, number>();
  let firstDirtyOffset = at(0);
  let nowMs = NOW;
  for (let step = 0; step < 120; step += 1) {
    const action = below(12);
    const producerId = 1 + below(3);
    if (action < 8) {
      const isOpen = action < 2;
      const pairs: Pair[] = [];
      for (let count = 1 + below(8); count > 0; count -= 1) {
        pairs.push([`k${below(15)}`, below(5) === 0 ? null : "v".repeat(below(60))]);
      }
      if (isOpen && !open.has(producerId)) open.set(producerId, driver.endOf(1));
      const options = isOpen
        ? { producerId, producerEpoch: 0, baseSequence: step, transactional: true }
        : {};
      const batch = encodeBatch(recordsOf(pairs, 5_000 + driver.endOf(1)), options);
      await driver.appendDurably(1, [batch]);
    } else if (action < 10) {
      if (!open.delete(producerId)) continue;
      const marker = { ...transactionMarker(below(2) === 0, 1), timestamp: 6_000 };
      const options = { producerId, producerEpoch: 0, transactional: true, control: true };
      await driver.appendDurably(1, [encodeBatch([marker], options)]);
    } else {
      nowMs += 400;
      await driver.io.logs.roll(id(1));
      await driver.io.logs.checkpoint();
      const outcome = await driver.io.logs.clean(id(1), {
        firstDirtyOffset,
        limit: at(Math.min(driver.endOf(1), ...open.values())),
        nowMs: ms(nowMs),
        deleteRetentionMs: 1000,
        mapBytes: 24 * 30,
        inflatedBytesMax: 1 << 20,
        bytesPerSecondMax: Infinity,
        producers: [],
      });
      firstDirtyOffset = outcome.cleanEndOffset;
    }
  }
  const bytes = await driver.readAll(1, 0);
  await driver.io.close();
  world.destroy();
  return Buffer.from(bytes).toString("hex");
}
