import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@mantou/client";
import { BatchField, ErrorCode, encodeBatch, putInt64 } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { FaultShim, shimMissing } from "./fault-shim.ts";
import { PartitionProbe } from "./partition-probe.ts";
import { batchesIn, damageByte, dataEnd, overwrite, segmentFiles } from "./segment-file.ts";

/** What docs/produce.md promises under "When the disk says no", against a real process. */

const TOPIC = "orders";
/** The smallest segments there are, so that a few megabytes make several. */
const SEGMENT_BYTES = 1024 * 1024;
const VALUE = "x".repeat(10_000);
const WAIT_MS = 30_000;

interface Running {
  readonly broker: BrokerProcess;
  readonly client: Client;
  readonly probe: PartitionProbe;
  [Symbol.asyncDispose](): Promise<void>;
}

async function run(
  dataDirectory: string,
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const broker = await BrokerProcess.start({ dataDirectory, flags, environment });
  const client = await Client.connect({ brokers: broker.address });
  const probe = new PartitionProbe(client, TOPIC);
  return {
    broker,
    client,
    probe,
    [Symbol.asyncDispose]: async () => {
      client.abort();
      await broker.kill();
    },
  };
}

const createTopic = (client: Client, name = TOPIC) =>
  client.admin.createTopic({
    name,
    partitions: 1,
    configs: { "segment.bytes": String(SEGMENT_BYTES) },
  });

/** Produces batches of two records until `count` are acknowledged; gives their values. */
async function fill(probe: PartitionProbe, count: number): Promise<string[]> {
  const values: string[] = [];
  while (values.length < count) {
    const pair = [`${values.length}:${VALUE}`, `${values.length + 1}:${VALUE}`];
    const { errorCode, baseOffset } = await probe.produce(pair);
    expect([errorCode, baseOffset]).toEqual([ErrorCode.NONE, values.length]);
    values.push(...pair);
  }
  return values;
}

/** Calls until the answer is the wanted one. */
async function until<T>(what: string, call: () => Promise<T>, is: (value: T) => boolean) {
  const deadlineMs = performance.now() + WAIT_MS;
  for (;;) {
    const value = await call();
    if (is(value)) return value;
    if (performance.now() > deadlineMs) {
      throw new Error(`${what}: still ${JSON.stringify(value)} after ${WAIT_MS} ms`);
    }
    await Bun.sleep(20);
  }
}

const valuesOf = (probed: { readonly records: readonly { readonly value: string }[] }) =>
  probed.records.map((record) => record.value);

describe("damage in what was acknowledged", () => {
  const spots = [
    ["a payload", 300],
    ["a length field", BatchField.batchLength + 3],
    ["a base offset", BatchField.baseOffset + 7],
    ["a checksum", BatchField.crc],
  ] as const;

  for (const [spot, within] of spots) {
    test(`in ${spot} of a sealed segment: refused, reported, and nothing else is lost`, async () => {
      using folder = temporaryFolder();
      let values: string[] = [];
      {
        await using first = await run(folder.path);
        await createTopic(first.client);
        values = await fill(first.probe, 300);
        expect(await first.broker.stop()).toBe(0);
      }
      const files = segmentFiles(folder.path, TOPIC);
      expect(files.length).toBeGreaterThan(2);
      const batches = batchesIn(files[1] as string);
      const victim = batches[batches.length >> 1];
      if (victim === undefined) throw new Error("the segment is empty");
      damageByte(files[1] as string, victim.position + within);

      await using second = await run(folder.path);
      const { probe } = second;
      const before = await probe.readFrom(0);
      expect(valuesOf(before)).toEqual(values.slice(0, victim.baseOffset));
      expect(before.errorCode).toBe(ErrorCode.CORRUPT_MESSAGE);
      expect((await probe.fetch(victim.baseOffset)).errorCode).toBe(ErrorCode.CORRUPT_MESSAGE);
      expect((await probe.fetch(victim.lastOffset)).errorCode).toBe(ErrorCode.CORRUPT_MESSAGE);
      const behind = await probe.readFrom(victim.lastOffset + 1);
      expect(behind.errorCode).toBe(ErrorCode.NONE);
      expect(valuesOf(behind)).toEqual(values.slice(victim.lastOffset + 1));
      await second.broker.waitForLog(/log_corrupt .*orders/, WAIT_MS);
      expect(second.broker.log.match(/log_corrupt/g)?.length).toBe(1);
      // The log goes on at its end.
      expect(await probe.produce(["more"])).toMatchObject({
        errorCode: ErrorCode.NONE,
        baseOffset: values.length,
      });
      expect(await second.broker.stop()).toBe(0);
    });
  }

  test("found by the scan after kill -9: refused, and what follows it is not cut", async () => {
    using folder = temporaryFolder();
    let values: string[] = [];
    {
      await using first = await run(folder.path);
      await createTopic(first.client);
      values = await fill(first.probe, 60);
      await first.broker.kill();
    }
    const [file = ""] = segmentFiles(folder.path, TOPIC);
    const victim = batchesIn(file)[10];
    if (victim === undefined) throw new Error("the segment is empty");
    damageByte(file, victim.position + 300);

    await using second = await run(folder.path);
    await second.broker.waitForLog(/log_corrupt .*orders/, WAIT_MS);
    const before = await second.probe.readFrom(0);
    expect(before.errorCode).toBe(ErrorCode.CORRUPT_MESSAGE);
    expect(valuesOf(before)).toEqual(values.slice(0, victim.baseOffset));
    const behind = await second.probe.readFrom(victim.lastOffset + 1);
    expect(valuesOf(behind)).toEqual(values.slice(victim.lastOffset + 1));
  });
});

describe("a torn tail after kill -9", () => {
  const halfBatch = (offset: number): Uint8Array => {
    const whole = encodeBatch([{ value: new TextEncoder().encode(VALUE), timestamp: 1 }]);
    putInt64(new DataView(whole.buffer, whole.byteOffset), BatchField.baseOffset, offset);
    return whole.subarray(0, whole.length >> 1);
  };
  const garbage = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919 + 13) & 0xff);
  const tails: readonly [string, (offset: number) => Uint8Array][] = [
    ["half a batch", halfBatch],
    ["garbage", () => garbage],
    ["one byte", () => Uint8Array.of(1)],
  ];

  for (const [what, tail] of tails) {
    test(`${what} is cut, and everything acknowledged is there`, async () => {
      using folder = temporaryFolder();
      let values: string[] = [];
      {
        await using first = await run(folder.path);
        await createTopic(first.client);
        values = await fill(first.probe, 40);
        await first.broker.kill();
      }
      const file = segmentFiles(folder.path, TOPIC).at(-1) as string;
      overwrite(file, dataEnd(file), tail(values.length));

      await using second = await run(folder.path);
      await second.broker.waitForLog(/torn_tail_cut .*orders/, WAIT_MS);
      expect(second.broker.log).not.toContain("log_corrupt");
      const { probe } = second;
      expect(await probe.produce(["next"])).toMatchObject({
        errorCode: ErrorCode.NONE,
        baseOffset: values.length,
      });
      const all = await probe.readFrom(0);
      expect(all.errorCode).toBe(ErrorCode.NONE);
      expect(valuesOf(all)).toEqual([...values, "next"]);
      expect(await second.broker.stop()).toBe(0);
    });
  }
});

/** A small volume of its own, unmounted with the scope. */
function smallVolume(bytes: number): { readonly path: string; [Symbol.dispose](): void } {
  const folder = temporaryFolder();
  const path = join(folder.path, "volume");
  mkdirSync(path);
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${bytes}`, "none", path]);
  if (!mounted.success) throw new Error(`mount: ${mounted.stderr.toString()}`);
  return {
    path,
    [Symbol.dispose]: () => {
      Bun.spawnSync(["umount", "--lazy", path]);
      folder[Symbol.dispose]();
    },
  };
}

function canMount(): boolean {
  if (process.getuid?.() !== 0 || Bun.which("mount") === null) return false;
  try {
    using _ = smallVolume(1024 * 1024);
    return true;
  } catch {
    return false;
  }
}

describe("a full disk", () => {
  const VOLUME_BYTES = 96 * 1024 * 1024;
  const MEBIBYTE = 1024 * 1024;

  /** A probe of a topic that only stands in the way. */
  async function other(client: Client, name: string): Promise<PartitionProbe> {
    await createTopic(client, name);
    return new PartitionProbe(client, name);
  }

  /** Everything but producing goes on; then a topic goes, and producing does as well. */
  async function survive(running: Running, values: readonly string[]): Promise<void> {
    const { broker, client, probe } = running;
    expect((await client.admin.metadata()).topics.map((one) => one.name).sort()).toEqual([
      "ballast",
      TOPIC,
    ]);
    // A log whose write has failed is opened again first.
    const kept = await until(
      "reading",
      () => probe.readFrom(0),
      ({ errorCode }) => errorCode !== ErrorCode.KAFKA_STORAGE_ERROR,
    );
    expect(kept.errorCode).toBe(ErrorCode.NONE);
    expect(valuesOf(kept).slice(0, values.length)).toEqual([...values]);
    await client.admin.createTopic({ name: "late", partitions: 1 });
    await client.admin.deleteTopic("late");
    await client.admin.deleteTopic("ballast");
    const answer = await until(
      "producing again",
      () => probe.produce(["after"]),
      ({ errorCode }) => errorCode !== ErrorCode.KAFKA_STORAGE_ERROR,
    );
    expect(answer.errorCode).toBe(ErrorCode.NONE);
    const after = await probe.fetch(answer.baseOffset);
    expect(valuesOf(after)).toEqual(["after"]);
    const all = await probe.readFrom(0);
    expect(valuesOf(all).slice(0, values.length)).toEqual([...values]);
    expect(await broker.stop()).toBe(0);
  }

  test.skipIf(!canMount())(
    "below the floor: KAFKA_STORAGE_ERROR, the rest works, and it resumes by itself",
    async () => {
      using volume = smallVolume(VOLUME_BYTES);
      await using running = await run(join(volume.path, "data"), [
        "--set",
        `mantou.disk.free.min.bytes=${24 * MEBIBYTE}`,
        "--set",
        `mantou.disk.reserve.bytes=${4 * MEBIBYTE}`,
      ]);
      await createTopic(running.client);
      const values = await fill(running.probe, 20);
      const ballast = await other(running.client, "ballast");
      const big = Array.from({ length: 50 }, () => VALUE);
      await until(
        "the disk fills up",
        () => ballast.produce(big),
        ({ errorCode }) => errorCode === ErrorCode.KAFKA_STORAGE_ERROR,
      );
      const refused = await until(
        "everybody is refused",
        () => running.probe.produce(["no"]),
        ({ errorCode }) => errorCode !== ErrorCode.NONE,
      );
      expect(refused.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      const { bavail, bsize } = statfsSync(volume.path);
      expect(bavail * bsize).toBeGreaterThan(8 * MEBIBYTE);
      await running.broker.waitForLog(/disk_low/, WAIT_MS);
      await survive(running, values);
      expect(running.broker.log).toContain("disk_ok");
    },
    120_000,
  );

  test.skipIf(!canMount())(
    "filled to the last byte by somebody else: the same",
    async () => {
      using volume = smallVolume(VOLUME_BYTES);
      await using running = await run(join(volume.path, "data"), [
        "--set",
        "mantou.disk.free.min.bytes=0",
        "--set",
        `mantou.disk.reserve.bytes=${4 * MEBIBYTE}`,
      ]);
      await createTopic(running.client);
      const values = await fill(running.probe, 20);
      const ballast = await other(running.client, "ballast");
      for (let batches = 0; batches < 40; batches += 1) {
        const { errorCode } = await ballast.produce(Array.from({ length: 50 }, () => VALUE));
        expect(errorCode).toBe(ErrorCode.NONE);
      }
      // Not ours, and it stays: only the deleted topic makes room again.
      const stranger = join(volume.path, "stranger");
      const { bavail, bsize } = statfsSync(volume.path);
      writeFileSync(stranger, new Uint8Array(Math.max(0, bavail * bsize - 4096)));
      const refused = await until(
        "the write fails",
        () => running.probe.produce(Array.from({ length: 50 }, () => VALUE)),
        ({ errorCode }) => errorCode !== ErrorCode.NONE,
      );
      expect(refused.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      await survive(running, values);
      rmSync(stranger);
    },
    120_000,
  );
});

describe("a disk that fails", () => {
  test.skipIf(shimMissing !== null)(
    "a failed fsync stops the process with status 70, and nothing false was acknowledged",
    async () => {
      using folder = temporaryFolder();
      using tools = temporaryFolder();
      const shim = new FaultShim(tools.path, `/${TOPIC}-0/`);
      let values: string[] = [];
      const late: { value: string; answer: Promise<unknown> }[] = [];
      {
        await using first = await run(folder.path, [], shim.environment);
        await createTopic(first.client);
        values = await fill(first.probe, 30);
        shim.failNextSync();
        for (let index = 0; index < 5; index += 1) {
          const value = `late ${index}`;
          const answer = first.probe.produce([value]).then(
            ({ errorCode }) => errorCode,
            (error: unknown) => String(error),
          );
          late.push({ value, answer });
        }
        expect(await first.broker.exited).toBe(70);
        expect(shim.syncHasFailed).toBe(true);
        expect(first.broker.log).toContain("fsync failed");
        for (const { answer } of late) expect(await answer).not.toBe(ErrorCode.NONE);
      }
      await using second = await run(folder.path);
      const all = await second.probe.readFrom(0);
      expect(all.errorCode).toBe(ErrorCode.NONE);
      // What was under way may be there or not, once and behind what was acknowledged.
      expect(valuesOf(all).slice(0, values.length)).toEqual(values);
      const rest = valuesOf(all).slice(values.length);
      expect(new Set(rest).size).toBe(rest.length);
      expect(late.map(({ value }) => value)).toEqual(expect.arrayContaining(rest));
    },
  );

  test.skipIf(shimMissing !== null)(
    "a failed fsync of the metadata log stops the process, and no topic was promised",
    async () => {
      using folder = temporaryFolder();
      using tools = temporaryFolder();
      const shim = new FaultShim(tools.path, "/__cluster_metadata-0/");
      {
        await using first = await run(folder.path, [], shim.environment);
        await createTopic(first.client);
        shim.failNextSync();
        const created = first.client.admin
          .createTopic({ name: "phantom", partitions: 1 })
          .then(() => "answered", String);
        expect(await first.broker.exited).toBe(70);
        first.client.abort();
        expect(await created).not.toBe("answered");
      }
      await using second = await run(folder.path);
      const names = (await second.client.admin.listTopics()).map((topic) => topic.name);
      expect(names).toContain(TOPIC);
      expect(await second.broker.stop()).toBe(0);
    },
  );

  test.skipIf(shimMissing !== null)(
    "a failed write takes its log offline until it is recovered, and no other",
    async () => {
      using folder = temporaryFolder();
      using tools = temporaryFolder();
      const shim = new FaultShim(tools.path, `/${TOPIC}-0/`);
      await using running = await run(folder.path, [], shim.environment);
      const { broker, client, probe } = running;
      await createTopic(client);
      const values = await fill(probe, 30);
      await createTopic(client, "healthy");
      const healthy = new PartitionProbe(client, "healthy");
      shim.failNextWrite();
      const refused = await probe.produce(["refused"]);
      expect(shim.writeHasFailed).toBe(true);
      expect(refused.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      expect((await healthy.produce(["a"])).errorCode).toBe(ErrorCode.NONE);
      const answer = await until(
        "producing again",
        () => probe.produce(["after"]),
        ({ errorCode }) => errorCode !== ErrorCode.KAFKA_STORAGE_ERROR,
      );
      expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: values.length });
      const all = await probe.readFrom(0);
      expect(valuesOf(all)).toEqual([...values, "after"]);
      expect(broker.log).toContain("log_failed");
      expect(broker.log).toContain("log_reopened");
      expect(await broker.stop()).toBe(0);
    },
  );

  test.skipIf(shimMissing !== null)(
    "EIO on a read: KAFKA_STORAGE_ERROR for that fetch, the log stays and heals with the disk",
    async () => {
      using folder = temporaryFolder();
      using tools = temporaryFolder();
      const shim = new FaultShim(tools.path, `/${TOPIC}-0/`);
      let values: string[] = [];
      {
        await using first = await run(folder.path);
        await createTopic(first.client);
        values = await fill(first.probe, 200);
        expect(await first.broker.stop()).toBe(0);
      }
      await using second = await run(folder.path, [], shim.environment);
      shim.failReads();
      const failed = await second.probe.fetch(0);
      expect([failed.errorCode, failed.records.length]).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, 0]);
      // Others do not notice, and this log still takes what is written.
      const { client } = second;
      await createTopic(client, "healthy");
      const healthy = new PartitionProbe(client, "healthy");
      expect((await healthy.produce(["a"])).errorCode).toBe(ErrorCode.NONE);
      expect(valuesOf(await healthy.fetch(0))).toEqual(["a"]);
      expect((await second.probe.fetch(100)).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      shim.healReads();
      const all = await until(
        "reading again",
        () => second.probe.readFrom(0),
        ({ errorCode }) => errorCode === ErrorCode.NONE,
      );
      expect(valuesOf(all)).toEqual(values);
      expect(await second.probe.produce(["more"])).toMatchObject({
        errorCode: ErrorCode.NONE,
        baseOffset: values.length,
      });
      expect(await second.broker.stop()).toBe(0);
    },
  );
});
