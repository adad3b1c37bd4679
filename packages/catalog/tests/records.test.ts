import { describe, expect, test } from "bun:test";
import { Prng, type Uuid } from "@mantou/base";
import { type MetadataRecord, decodeRecords, encodeRecords } from "../src/index.ts";
import { recordFormats } from "../src/records.ts";

const id = "abcdefghijklmnopqrstuA" as Uuid;

/** One record of every kind, with values at the edges. */
const oneOfEach: readonly MetadataRecord[] = [
  { kind: "cluster", clusterId: "c" },
  {
    kind: "counters",
    nextProducerId: Number.MAX_SAFE_INTEGER,
    lastBrokerEpoch: 0,
    featuresEpoch: 2 ** 32,
  },
  { kind: "featureLevel", name: "metadata.version", level: 30 },
  {
    kind: "registerBroker",
    nodeId: 2_147_483_647,
    incarnationId: id,
    epoch: 128,
    rack: "räck",
    endpoints: [{ listener: "A", host: "::1", port: 65_535, securityProtocol: "PLAINTEXT" }],
    fenced: true,
  },
  { kind: "brokerFenced", nodeId: 1, fenced: false },
  { kind: "unregisterBroker", nodeId: 1 },
  { kind: "topic", topicId: id, name: "t" },
  {
    kind: "partitions",
    topicId: id,
    firstPartition: 7,
    width: 2,
    replicas: Int32Array.of(1, 2, 3, -1),
    isr: Int32Array.of(1, -1, 3, -1),
    leaders: Int32Array.of(1, -1),
    leaderEpochs: Int32Array.of(0, 2_147_483_647),
    partitionEpochs: Int32Array.of(300, 0),
  },
  { kind: "partitionChange", topicId: id, partitions: Int32Array.of(0), leader: -2, isr: null },
  { kind: "removeTopic", topicId: id },
  { kind: "config", resourceType: 4, resourceName: "", name: "x", value: null },
  { kind: "producerIds", nodeId: 1, nextProducerId: 1000 },
];

describe("records", () => {
  test("every kind comes back as it was, in order", () => {
    expect(new Set(oneOfEach.map(({ kind }) => kind)).size).toBe(Object.keys(recordFormats).length);
    const decoded = decodeRecords(encodeRecords(oneOfEach));
    expect(decoded).toEqual({ ok: true, value: [...oneOfEach] });
  });

  test("ids of kinds are unique", () => {
    const ids = Object.values(recordFormats).map((format) => format.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("bytes that end anywhere are an error, never an exception", () => {
    const bytes = encodeRecords(oneOfEach);
    for (let length = 0; length < bytes.length; length += 1) {
      const decoded = decodeRecords(bytes.slice(0, length));
      expect(decoded.ok).toBe(false);
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expect(decodeRecords(longer)).toMatchObject({ ok: false, error: { kind: "malformed" } });
  });

  test("damaged bytes are an error or other records, never an exception", () => {
    const seed = 20_260_101;
    const prng = new Prng(seed);
    const bytes = encodeRecords(oneOfEach);
    for (let round = 0; round < 5000; round += 1) {
      const damaged = bytes.slice();
      for (let flips = prng.between(1, 3); flips > 0; flips -= 1) {
        damaged[prng.below(damaged.length)] = prng.below(256);
      }
      decodeRecords(damaged);
    }
  });

  test("a batch, a kind or a version of the future is named", () => {
    expect(decodeRecords(Uint8Array.of(9, 0))).toMatchObject({ error: { kind: "unknown-format" } });
    expect(decodeRecords(Uint8Array.of(1, 1, 99, 0, 0))).toMatchObject({
      error: { kind: "unknown-record" },
    });
    expect(decodeRecords(Uint8Array.of(1, 1, 1, 5, 0))).toMatchObject({
      error: { kind: "unknown-version", message: expect.stringContaining("version 5") },
    });
  });

  test("counts and lengths beyond the bytes are refused before anything is made", () => {
    const hugeCount = Uint8Array.of(1, 0xff, 0xff, 0xff, 0xff, 0x0f);
    expect(decodeRecords(hugeCount)).toMatchObject({ ok: false, error: { kind: "malformed" } });
    const hugeName = Uint8Array.of(1, 1, 1, 0, 3, 0xff, 0xff, 0x7f);
    expect(decodeRecords(hugeName)).toMatchObject({ ok: false, error: { kind: "malformed" } });
  });

  test("a small cluster is a small log", () => {
    const one: MetadataRecord = {
      kind: "partitions",
      topicId: id,
      firstPartition: 0,
      width: 1,
      replicas: new Int32Array(10_000).fill(1),
      isr: new Int32Array(10_000).fill(1),
      leaders: new Int32Array(10_000).fill(1),
      leaderEpochs: new Int32Array(10_000),
      partitionEpochs: new Int32Array(10_000),
    };
    expect(encodeRecords([one]).length).toBeLessThan(50_100);
  });
});
