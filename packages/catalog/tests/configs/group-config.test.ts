import { describe, expect, test } from "bun:test";
import { apply } from "../../src/apply.ts";
import { parseBrokerConfig } from "../../src/configs/broker-config.ts";
import { ConfigSource } from "../../src/configs/definition.ts";
import { describeGroupConfigs } from "../../src/configs/group-config.ts";
import { ConfigResource, newImage } from "../../src/image.ts";

const parse = (settings: Record<string, string>) => parseBrokerConfig(Object.entries(settings));

function config(settings: Record<string, string> = {}) {
  const parsed = parse(settings);
  if (!parsed.ok) throw new Error(parsed.error.join("; "));
  return parsed.value;
}

describe("settings of groups", () => {
  test("Kafka's defaults", () => {
    const { groups, offsetsTopic, transactionTopic } = config();
    expect(groups).toMatchObject({
      sessionTimeoutMsMin: 6000,
      sessionTimeoutMsMax: 1_800_000,
      initialRebalanceDelayMs: 3000,
      offsetMetadataBytesMax: 4096,
      offsetsRetentionMs: 7 * 24 * 3_600_000,
    });
    expect(groups.consumer).toMatchObject({
      sessionTimeoutMs: 45_000,
      heartbeatIntervalMs: 5000,
      assignors: ["uniform", "range"],
      migrationPolicy: "bidirectional",
    });
    const topic = { partitions: 50, replicationFactor: 3, segmentBytes: 104_857_600 };
    expect(offsetsTopic).toEqual(topic);
    expect(transactionTopic).toEqual({ ...topic, minInsyncReplicas: 2 });
  });

  test.each([
    [{ "group.min.session.timeout.ms": "2000000" }, "group.min.session.timeout.ms"],
    [{ "group.consumer.session.timeout.ms": "70000" }, "group.consumer.max.session.timeout.ms"],
    [
      { "group.consumer.heartbeat.interval.ms": "1000" },
      "group.consumer.min.heartbeat.interval.ms",
    ],
    [
      {
        "group.consumer.heartbeat.interval.ms": "50000",
        "group.consumer.max.heartbeat.interval.ms": "50000",
      },
      "must be below group.consumer.session.timeout.ms",
    ],
    [{ "group.consumer.assignors": "uniform,sticky" }, "names sticky"],
    [{ "group.consumer.assignors": "range,range" }, "twice"],
    [{ "group.consumer.migration.policy": "sometimes" }, "is none of"],
    [{ "offsets.topic.segment.bytes": "1000" }, "below the smallest value"],
    [{ "group.share.max.size": "5" }, "share and streams groups are not available"],
  ])("%j is refused: %s", (settings, reason) => {
    const parsed = parse(settings as unknown as Record<string, string>);
    expect(parsed.ok ? "accepted" : parsed.error.join("; ")).toContain(reason);
  });

  test("what a group was given stands over what the broker gives all", () => {
    const image = newImage();
    const own = { resourceType: ConfigResource.GROUP, resourceName: "g" };
    const name = "consumer.session.timeout.ms";
    apply(image, { kind: "config", ...own, name, value: "50000" });
    const broker = config({ "group.consumer.heartbeat.interval.ms": "6000" });
    const shown = describeGroupConfigs(image, broker, "g").map((one) => [
      one.name,
      one.value,
      one.source,
    ]);
    expect(shown).toEqual([
      ["consumer.heartbeat.interval.ms", "6000", ConfigSource.STATIC_BROKER],
      [name, "50000", ConfigSource.GROUP],
    ]);
    const [heartbeat] = describeGroupConfigs(image, config(), "another");
    expect(heartbeat).toMatchObject({ value: "5000", source: ConfigSource.DEFAULT });
  });
});
