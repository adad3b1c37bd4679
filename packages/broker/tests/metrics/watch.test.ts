import { expect, test } from "bun:test";
import { parseBrokerConfig } from "@mantou/catalog";
import { openPortableIo } from "@mantou/io";
import { Broker } from "../../src/broker.ts";
import { testAmbient } from "../in-process-broker.ts";

const DEADLINE_MS = 30_000;

async function until(ready: () => boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!ready()) {
    if (Date.now() > deadline) throw new Error("it does not come true");
    await Bun.sleep(1);
  }
}

test("clients are served between start and stop, and while there is room on the disk", async () => {
  const config = parseBrokerConfig([
    ["listeners", "PLAINTEXT://127.0.0.1:0"],
    ["log.dirs", "memory"],
  ]);
  if (!config.ok) throw new Error(config.error.join());
  const io = openPortableIo();
  const broker = new Broker(io, config.value, testAmbient([]));
  expect(broker.unreadiness).toStartWith("starting");
  expect((await broker.figures()).store).toBeNull();
  await broker.start();
  expect(broker.unreadiness).toBeNull();
  expect(await broker.figures()).toMatchObject({ phase: "serving", acceptsAppends: true });
  const { totalMs, clean } = (await broker.figures()).start;
  expect([clean, totalMs !== null && totalMs >= 0]).toEqual([true, true]);

  io.disk.resize(1);
  await until(() => broker.unreadiness !== null);
  expect(broker.unreadiness).toContain("full");
  io.disk.resize(Infinity);
  await until(() => broker.unreadiness === null);

  const stopped = broker.stop();
  expect(broker.unreadiness).toStartWith("draining");
  await stopped;
});
