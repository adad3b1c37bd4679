import { type CatalogImage, ConfigResource } from "../image.ts";
import type { BrokerConfig } from "./broker-config.ts";
import { type ConfigDefinition, ConfigSource, ConfigType, int, integerOf } from "./definition.ts";
import type { DescribedConfig } from "./describe-configs.ts";

/** A setting of one group, and the broker's settings that bound it and stand in for it. */
export interface GroupConfigDefinition extends ConfigDefinition {
  readonly synonym: string;
  readonly bounds: (broker: BrokerConfig) => readonly [low: number, high: number];
  readonly value: (broker: BrokerConfig) => number;
}

const definitions: readonly GroupConfigDefinition[] = [
  {
    name: "consumer.heartbeat.interval.ms",
    type: ConfigType.INT,
    fallback: "5000",
    check: int(1),
    documentation: "How often members of this consumer group are told to send a heartbeat.",
    dynamic: true,
    synonym: "group.consumer.heartbeat.interval.ms",
    value: ({ groups }) => groups.consumer.heartbeatIntervalMs,
    bounds: ({ groups: { consumer } }) => [
      consumer.heartbeatIntervalMsMin,
      consumer.heartbeatIntervalMsMax,
    ],
  },
  {
    name: "consumer.session.timeout.ms",
    type: ConfigType.INT,
    fallback: "45000",
    check: int(1),
    documentation: "Silence after which a member of this consumer group is removed.",
    dynamic: true,
    synonym: "group.consumer.session.timeout.ms",
    value: ({ groups }) => groups.consumer.sessionTimeoutMs,
    bounds: ({ groups: { consumer } }) => [
      consumer.sessionTimeoutMsMin,
      consumer.sessionTimeoutMsMax,
    ],
  },
];

/** Settings of single groups (resource type GROUP) that are in force, by name. */
export const groupConfigs: ReadonlyMap<string, GroupConfigDefinition> = new Map(
  definitions.map((definition) => [definition.name, definition]),
);

/** Why a checked value does not fit this cluster's bounds, as the end of a sentence; or null. */
export function groupConfigBoundsFault(
  broker: BrokerConfig,
  name: string,
  value: string,
): string | null {
  const definition = groupConfigs.get(name);
  if (definition === undefined) return null;
  const [low, high] = definition.bounds(broker);
  const number = integerOf(value);
  if (number < low) return `is below ${low}, the least that the brokers allow`;
  return number > high ? `is above ${high}, the most that the brokers allow` : null;
}

/** All settings of a group, which need not exist yet. */
export function describeGroupConfigs(
  image: CatalogImage,
  broker: BrokerConfig,
  groupId: string,
): DescribedConfig[] {
  const overrides = image.settingsOf(ConfigResource.GROUP, groupId);
  return definitions.map(({ name, type, documentation, value, synonym }) => {
    const own = overrides.get(name);
    const found: DescribedConfig["synonyms"][number][] = [];
    if (own !== undefined) found.push({ name, value: own, source: ConfigSource.GROUP });
    const isGiven = broker.entries.has(synonym);
    found.push({
      name: synonym,
      value: String(value(broker)),
      source: isGiven ? ConfigSource.STATIC_BROKER : ConfigSource.DEFAULT,
    });
    return {
      name,
      value: found[0]?.value ?? null,
      readOnly: false,
      source: found[0]?.source ?? ConfigSource.DEFAULT,
      type,
      documentation,
      synonyms: found,
    };
  });
}
