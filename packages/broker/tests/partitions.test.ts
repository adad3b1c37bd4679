import { beforeEach, expect, test } from "bun:test";
import { type LogId, type Uuid, millis, offset } from "@mantou/base";
import {
  CatalogImage,
  type Command,
  apply,
  decide,
  parseBrokerConfig,
  resolveBrokerConfig,
} from "@mantou/catalog";
import { IoError, type LogConfig, type LogSpec, type LogState, type LogStore } from "@mantou/io";
import { PartitionTable } from "@mantou/replication";
import type { LogSideFiles } from "../src/drivers/log-side-files.ts";
import { Partitions } from "../src/drivers/partitions.ts";
import { testAmbient } from "./in-process-broker.ts";

const HOUR_MS = 3_600_000;

/** The partitions of broker 1 on a store that notes what it is asked. */
class Hosting {
  readonly image = new CatalogImage();
  readonly table = new PartitionTable(1);
  readonly log: string[] = [];
  /** Configs by log, as the store was last told. */
  readonly told = new Map<LogId, LogConfig>();
  readonly configured: LogId[] = [];
  readonly later: LogId[] = [];
  openFault: IoError | null = null;
  loadFault: IoError | null = null;
  endOffset = 0;
  readonly partitions: Partitions;
  private readonly started;
  private ids = 0;

  constructor() {
    const parsed = parseBrokerConfig([]);
    if (!parsed.ok) throw new Error(parsed.error.join());
    this.started = parsed.value;
    const logs = {
      openLogs: (specs: readonly LogSpec[]) => this.openLogs(specs),
      configure: (logId: LogId, config: LogConfig) => {
        this.configured.push(logId);
        this.told.set(logId, config);
      },
      remove: async () => {},
    } as unknown as LogStore;
    const files = {
      load: async () => {
        if (this.loadFault !== null) throw this.loadFault;
        return [];
      },
      forget: () => {},
    } as unknown as LogSideFiles;
    this.partitions = new Partitions(
      {
        logs,
        partitions: this.table,
        files,
        ambient: testAmbient(this.log),
        config: () => resolveBrokerConfig(this.image, this.started),
        image: () => this.image,
        gone: () => {},
        leadershipMoved: () => {},
        openLater: (logId) => void this.later.push(logId),
      },
      1,
    );
  }

  async run(command: Command): Promise<void> {
    const newUuid = (): Uuid => `id${String(++this.ids).padStart(6, "0")}AAAAAAAAAAAAAA` as Uuid;
    const context = { nowMs: millis(0), newUuid, config: this.started };
    const { records } = decide(this.image, command, context);
    for (const record of records) apply(this.image, record);
    await this.partitions.follow(records);
  }

  async create(name: string, numPartitions: number, configs: Record<string, string> = {}) {
    const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
    const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: entries };
    await this.run({ kind: "createTopics", topics: [topic], validateOnly: false });
  }

  async set(resourceType: number, resourceName: string, name: string, value: string) {
    const configs = [{ name, configOperation: 0, value }];
    const resources = [{ resourceType, resourceName, configs }];
    await this.run({ kind: "changeConfigs", resources, validateOnly: false });
  }

  idsOf(name: string): LogId[] {
    const topic = this.image.topicByName(name);
    if (topic === undefined) return [];
    return Array.from({ length: topic.partitionCount }, (_, partition) =>
      this.partitions.logOf(topic.topicId, partition),
    ).filter((id): id is LogId => id !== -1);
  }

  private async openLogs(specs: readonly LogSpec[]): Promise<LogState[]> {
    if (this.openFault !== null) throw this.openFault;
    return specs.map(({ logId, config }) => {
      this.told.set(logId, config);
      const [startOffset, endOffset] = [offset(0), offset(this.endOffset)];
      const rest = { largestTimestamp: -1, cutBytes: 0, corruptFromOffset: null };
      return { logId, startOffset, endOffset, ...rest };
    });
  }
}

let hosting: Hosting;

beforeEach(async () => {
  hosting = new Hosting();
  await hosting.run({ kind: "initializeCluster", clusterId: "c" });
  await hosting.run({
    kind: "registerBroker",
    nodeId: 1,
    incarnationId: "incarnationAAAAAAAAAAA" as Uuid,
    rack: null,
    endpoints: [{ listener: "P", host: "h", port: 1, securityProtocol: "PLAINTEXT" }],
    earlierIsAlive: false,
  });
  await hosting.run({ kind: "fenceBroker", nodeId: 1, brokerEpoch: 1, fenced: false });
});

const jitters = (name: string): number[] =>
  hosting.idsOf(name).map((id) => hosting.told.get(id)?.segmentJitterMs ?? NaN);

test("segment.jitter.ms is drawn for each partition, and stays below segment.ms", async () => {
  await hosting.create("t", 50, { "segment.ms": String(HOUR_MS), "segment.jitter.ms": "60000" });
  const drawn = jitters("t");
  expect(new Set(drawn).size).toBeGreaterThan(40);
  for (const jitterMs of drawn) {
    expect(jitterMs).toBeGreaterThanOrEqual(0);
    expect(jitterMs).toBeLessThan(60_000);
  }
  // More jitter than age would end a segment with every batch.
  await hosting.set(2, "t", "segment.jitter.ms", String(100 * HOUR_MS));
  for (const jitterMs of jitters("t")) expect(jitterMs).toBeLessThan(HOUR_MS);
  expect(new Set(jitters("t")).size).toBeGreaterThan(40);
});

test("a topic's setting reaches the logs of that topic, a broker's those of all", async () => {
  await hosting.create("a", 2);
  await hosting.create("b", 3);
  hosting.configured.length = 0;
  await hosting.set(2, "a", "segment.bytes", "2000000");
  expect(hosting.configured).toEqual(hosting.idsOf("a"));
  hosting.configured.length = 0;
  await hosting.set(4, "", "log.segment.bytes", "3000000");
  expect(hosting.configured).toEqual([...hosting.idsOf("a"), ...hosting.idsOf("b")]);
  const bytes = (name: string) => hosting.told.get(hosting.idsOf(name)[0] as LogId)?.segmentBytes;
  expect([bytes("a"), bytes("b")]).toEqual([2_000_000, 3_000_000]);
});

test("many settings in one entry are one look at the logs", async () => {
  await hosting.create("t", 4);
  hosting.configured.length = 0;
  const configs = ["segment.bytes", "segment.index.bytes", "index.interval.bytes"].map((name) => ({
    name,
    configOperation: 0,
    value: "2000000",
  }));
  const resources = [{ resourceType: 2, resourceName: "t", configs }];
  await hosting.run({ kind: "changeConfigs", resources, validateOnly: false });
  expect(hosting.configured).toEqual(hosting.idsOf("t"));
});

test("a topic that is committed while the disk says no is opened later", async () => {
  hosting.openFault = new IoError("EIO", "the disk says no");
  await hosting.create("t", 3);
  expect(hosting.idsOf("t")).toEqual([]);
  expect(hosting.later.length).toBe(3);
  await expect(hosting.partitions.reopen(hosting.later[0] as LogId)).rejects.toThrow("says no");
  hosting.openFault = null;
  for (const logId of hosting.later) expect(await hosting.partitions.reopen(logId)).toBe(true);
  expect(hosting.idsOf("t")).toEqual(hosting.later);
});

test("a log whose small files cannot be read is not opened twice by the store", async () => {
  await hosting.create("t", 1);
  const [logId] = hosting.idsOf("t") as [LogId];
  hosting.table.failed(logId);
  hosting.endOffset = 10;
  hosting.loadFault = new IoError("OVERLOADED", "too many reads are waiting");
  await expect(hosting.partitions.reopen(logId)).rejects.toThrow("too many");
  expect(hosting.table.isFailed(logId)).toBe(true);
  hosting.loadFault = null;
  hosting.openFault = new IoError("INVALID", "the log is open already");
  expect(await hosting.partitions.reopen(logId)).toBe(true);
  expect(hosting.table.isFailed(logId)).toBe(false);
  expect(hosting.table.logEndOffset(logId)).toBe(10);
});

test("a log of a deleted topic is not opened again", async () => {
  await hosting.create("t", 1);
  const [logId] = hosting.idsOf("t") as [LogId];
  const topicId = hosting.image.topicByName("t")?.topicId as Uuid;
  await hosting.run({ kind: "deleteTopics", topics: [{ name: null, topicId }] });
  expect(await hosting.partitions.reopen(logId)).toBe(false);
});
