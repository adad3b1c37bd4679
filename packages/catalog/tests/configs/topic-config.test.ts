import { describe, expect, test } from "bun:test";
import {
  ConfigResource,
  ConfigSource,
  apply,
  describeBrokerConfigs,
  describeTopicConfigs,
  logConfigOf,
  newImage,
  resolveTopicConfig,
} from "../../src/index.ts";
import { configOf } from "../fixtures.ts";

const image = newImage();
const set = (resourceType: 2 | 4, resourceName: string, name: string, value: string | null): void =>
  apply(image, { kind: "config", resourceType, resourceName, name, value });

describe("what governs a topic", () => {
  test("defaults are Kafka's", () => {
    expect(resolveTopicConfig(newImage(), configOf(), "t")).toEqual({
      topic: "t",
      cleanupDelete: true,
      cleanupCompact: false,
      deleteRetentionMs: 86_400_000,
      maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
      minCleanableDirtyRatio: 0.5,
      minCompactionLagMs: 0,
      fileDeleteDelayMs: 60_000,
      indexIntervalBytes: 4096,
      durability: "fsync",
      validateRecords: false,
      maxMessageBytes: 1_048_588,
      messageTimestampAfterMaxMs: 3_600_000,
      messageTimestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
      messageTimestampType: "CreateTime",
      minInsyncReplicas: 1,
      preallocate: false,
      retentionBytes: -1,
      retentionMs: 604_800_000,
      segmentBytes: 1_073_741_824,
      segmentIndexBytes: 10_485_760,
      segmentJitterMs: 0,
      segmentMs: 604_800_000,
    });
  });

  test("each place overrules the next, names by their precedence, in the topic's unit", () => {
    const broker = configOf({ "log.retention.hours": "2" });
    const retentionMs = (): number => resolveTopicConfig(image, broker, "t").retentionMs;
    expect(retentionMs()).toBe(7_200_000);
    set(ConfigResource.BROKER, "", "log.retention.hours", "3");
    expect(retentionMs()).toBe(10_800_000);
    set(ConfigResource.BROKER, "1", "log.retention.hours", "-1");
    expect(retentionMs()).toBe(-1);
    set(ConfigResource.BROKER, "", "log.retention.minutes", "4");
    expect(retentionMs()).toBe(240_000);
    set(ConfigResource.TOPIC, "t", "retention.ms", "5");
    expect(retentionMs()).toBe(5);
    expect(resolveTopicConfig(image, broker, "u").retentionMs).toBe(240_000);
    const described = describeTopicConfigs(image, broker, image.settingsOf(2, "t"));
    const retention = described.find(({ name }) => name === "retention.ms");
    expect(retention).toMatchObject({ value: "5", source: ConfigSource.TOPIC, readOnly: false });
    expect(retention?.synonyms.map(({ name, value, source }) => [name, value, source])).toEqual([
      ["retention.ms", "5", ConfigSource.TOPIC],
      ["log.retention.minutes", "4", ConfigSource.DYNAMIC_DEFAULT_BROKER],
      ["log.retention.hours", "-1", ConfigSource.DYNAMIC_BROKER],
      ["log.retention.hours", "3", ConfigSource.DYNAMIC_DEFAULT_BROKER],
      ["log.retention.hours", "2", ConfigSource.STATIC_BROKER],
      ["log.retention.hours", "168", ConfigSource.DEFAULT],
    ]);
  });

  test("a log gets exactly its part", () => {
    expect(Object.keys(logConfigOf(resolveTopicConfig(image, configOf(), "t"))).sort()).toEqual([
      "durability",
      "fileDeleteDelayMs",
      "indexIntervalBytes",
      "preallocate",
      "segmentBytes",
      "segmentIndexBytes",
      "segmentJitterMs",
      "segmentMs",
    ]);
  });

  test("a broker's own settings say whether they can change", () => {
    const described = describeBrokerConfigs(newImage(), configOf({ "node.id": "7" }));
    const byName = new Map(described.map((config) => [config.name, config]));
    expect(byName.get("node.id")).toMatchObject({
      value: "7",
      readOnly: true,
      source: ConfigSource.STATIC_BROKER,
    });
    expect(byName.get("num.partitions")).toMatchObject({
      value: "1",
      readOnly: false,
      source: ConfigSource.DEFAULT,
    });
    expect(byName.get("log.retention.ms")).toMatchObject({ value: null, synonyms: [] });
  });
});
