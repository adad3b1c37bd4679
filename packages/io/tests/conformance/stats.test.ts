import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { HISTOGRAM_BUCKETS, type Log2Histogram } from "../../src/index.ts";
import { type World, engines } from "./engines.ts";
import { LogDriver, batchOf, spec } from "./log-driver.ts";

const countOf = ({ counts }: Log2Histogram): number => counts.reduce((sum, count) => sum + count);

for (const engine of engines) {
  const skipped = engine.unavailable === null ? "" : ` (skipped: ${engine.unavailable})`;
  describe.skipIf(engine.unavailable !== null)(`stats, ${engine.name}${skipped}`, () => {
    let world: World;
    let driver: LogDriver;

    beforeEach(() => {
      world = engine.world();
      driver = new LogDriver(world.open());
    });

    afterEach(async () => {
      await driver.io.close();
      world.destroy();
    });

    test("groups are counted with their batches and bytes, page-cache logs are in none", async () => {
      await driver.open(world.dataDirectory, [spec(1), spec(2, { durability: "page-cache" })]);
      await driver.durable(1, driver.append(1, [batchOf(3), batchOf(5)]));
      await driver.durable(2, driver.append(2, [batchOf(3)]));
      const stats = driver.io.logs.stats();
      expect(stats.groupsTotal).toBe(1);
      expect([countOf(stats.groupBatches), stats.groupBatches.sum]).toEqual([1, 2]);
      const bytes = batchOf(3).length + batchOf(5).length;
      expect([countOf(stats.groupBytes), stats.groupBytes.sum]).toEqual([1, bytes]);
      expect(stats.appendedBytesTotal).toBe(bytes + batchOf(3).length);
      // One of them has no clock; the other has timed each flush.
      expect(countOf(stats.flushMicros)).toBe(engine.name === "native" ? 1 : 0);
      for (const histogram of [stats.appendMicros, stats.flushMicros, stats.groupBytes]) {
        expect(histogram.counts.length).toBe(HISTOGRAM_BUCKETS);
      }
    });

    test("every range that is looked for counts, found or not", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      await driver.durable(1, driver.append(1, [batchOf(3)]));
      const before = driver.io.logs.stats();
      await driver.locate(1, 0, 3, 1000);
      await driver.locate(1, 3, 3, 1000);
      const after = driver.io.logs.stats();
      expect(after.locatesTotal - before.locatesTotal).toBe(2);
      expect(after.pageCacheMissesTotal).toBeLessThanOrEqual(after.locatesTotal);
    });

    test("the volume has a size, and no more free space than that", async () => {
      await driver.open(world.dataDirectory, [spec(1)]);
      const { freeBytes, totalBytes } = driver.io.logs.stats();
      expect(freeBytes).toBeGreaterThan(0);
      expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
      expect(totalBytes).toBeLessThan(2 ** 53);
    });

    test("the network counts nothing before the first connection", () => {
      const { arenaBytesTotal, ...stats } = driver.io.network.stats();
      expect(arenaBytesTotal).toBeGreaterThan(0);
      expect(new Set(Object.values(stats))).toEqual(new Set([0]));
    });
  });
}
