import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";

/** A person's mistakes: one clear line and exit status 2. */
async function refused(flags: string[], dataDirectory?: string): Promise<string> {
  using folder = temporaryFolder();
  const { exitCode, log } = await BrokerProcess.runToExit({
    dataDirectory: dataDirectory ?? join(folder.path, "data"),
    flags,
  });
  expect(exitCode, log).toBe(2);
  const lines = log.trim().split("\n");
  expect(lines.length, log).toBe(1);
  expect(lines[0]).toStartWith("mantou: ");
  return lines[0] as string;
}

test("an unknown flag", async () => {
  expect(await refused(["--listne", "x"])).toContain("--listne");
});

test("an unknown setting names the nearest one", async () => {
  expect(await refused(["--set", "num.partition=3"])).toContain("num.partitions");
});

test("a value that is none", async () => {
  const line = await refused(["--set", "num.partitions=many"]);
  expect(line).toContain("num.partitions");
  expect(line).toContain("many");
});

test("an address that is none", async () => {
  expect(await refused(["--listen", "127.0.0.1"])).toContain("127.0.0.1");
});

test("a config file that is missing, or no TOML, or has unknown names", async () => {
  using folder = temporaryFolder();
  expect(await refused(["--config", join(folder.path, "none.toml")])).toContain("none.toml");
  const broken = join(folder.path, "broken.toml");
  writeFileSync(broken, "num.partitions = = 3\n");
  expect(await refused(["--config", broken])).toContain("not valid TOML");
  const unknown = join(folder.path, "unknown.toml");
  writeFileSync(unknown, "[log]\nretentoin.ms = 5\n");
  expect(await refused(["--config", unknown])).toContain("log.retention.ms");
});

test("an occupied port", async () => {
  using folder = temporaryFolder();
  await using first = await BrokerProcess.start({ dataDirectory: join(folder.path, "a") });
  const line = await refused(["--listen", first.address], join(folder.path, "b"));
  expect(line).toContain(String(first.port));
  await first.stop();
});

test("a data directory that cannot be written", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "file");
  writeFileSync(file, "");
  expect(await refused([], join(file, "data"))).toContain(file);
  if (process.getuid?.() === 0) return; // Permissions do not hold root back.
  const locked = join(folder.path, "locked");
  mkdirSync(locked);
  chmodSync(locked, 0o500);
  expect(await refused([], join(locked, "data"))).toContain(locked);
});

test("a second broker on the same directory says so, and the first goes on", async () => {
  using folder = temporaryFolder();
  await using first = await BrokerProcess.start({ dataDirectory: folder.path });
  const client = await Client.connect({ brokers: first.address });
  await client.admin.createTopic({ name: "t", partitions: 1 });
  const producer = client.producer();
  const send = async (): Promise<number> =>
    (await producer.send({ topic: "t", partition: 0, value: "x" })).offset;
  expect(await send()).toBe(0);
  // By another name it is the same directory.
  const other = `${folder.path}-link`;
  symlinkSync(folder.path, other);
  try {
    for (const name of [folder.path, other]) {
      const line = await refused([], name);
      expect(line).toContain(name);
      expect(line).toMatch(/another|lock/i);
      expect(await send()).toBeGreaterThan(0);
    }
  } finally {
    unlinkSync(other);
  }
  client.abort();
  expect(await first.stop()).toBe(0);
});

test("of several brokers that start at once on one directory, one serves", async () => {
  using folder = temporaryFolder();
  const brokers = Array.from({ length: 4 }, () =>
    BrokerProcess.launch({ dataDirectory: folder.path }),
  );
  await using stack = new AsyncDisposableStack();
  for (const broker of brokers) stack.use(broker);
  const outcomes = await Promise.all(
    brokers.map((broker) =>
      Promise.race([broker.exited, broker.waitForLog(/ started /, 60_000).then(() => "serves")]),
    ),
  );
  expect(outcomes.toSorted()).toEqual([2, 2, 2, "serves"]);
});

test("another node's directory", async () => {
  using folder = temporaryFolder();
  await using first = await BrokerProcess.start({ dataDirectory: folder.path });
  await first.stop();
  expect(await refused(["--set", "node.id=7"], folder.path)).toContain("node.id");
});
