import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type World, engines } from "../conformance/engines.ts";
import { LogDriver, batchOf, spec } from "../conformance/log-driver.ts";

const ROUNDS = 40;
const DEADLINE_MS = 30_000;

const native = engines.find((engine) => engine.name === "native");
const unavailable = native?.unavailable ?? null;
const skipped = unavailable === null ? "" : ` (skipped: ${unavailable})`;

describe.skipIf(unavailable !== null)(`events that nobody has read yet${skipped}`, () => {
  let world: World;
  let driver: LogDriver;

  beforeEach(() => {
    world = (native as NonNullable<typeof native>).world();
    driver = new LogDriver(world.open());
  });

  afterEach(async () => {
    await driver.io.close();
    world.destroy();
  });

  /** Waits without letting go of the thread on which events are read. */
  function spinUntil(condition: () => boolean): void {
    const end = performance.now() + DEADLINE_MS;
    while (!condition()) expect(performance.now()).toBeLessThan(end);
  }

  test("a log's end is told once, however many writes moved it", async () => {
    const cached = { durability: "page-cache" } as const;
    await driver.open(world.dataDirectory, [spec(1, cached), spec(2, cached)]);
    const batch = batchOf(1);
    const { logs } = driver.io;
    for (let round = 1; round <= ROUNDS; round += 1) {
      const appended = logs.stats().appendedBytesTotal + 2 * batch.length;
      driver.append(1, [batch]);
      driver.append(2, [batch]);
      // Each round is a pass of its own, with events of its own.
      spinUntil(() => logs.stats().appendedBytesTotal === appended);
    }
    await Promise.all([driver.durable(1), driver.durable(2)]);
    for (const log of [1, 2]) {
      expect(driver.told("WRITTEN", log)).toBe(ROUNDS);
      expect(driver.told("DURABLE", log)).toBe(ROUNDS);
    }
    // The last pass may have been half told when the first drain came.
    expect(driver.of("WRITTEN").length).toBeLessThanOrEqual(4);
    expect(driver.of("DURABLE").length).toBeLessThanOrEqual(4);
  });
});
