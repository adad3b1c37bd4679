import { ALL_BROKERS, type CatalogImage, ConfigResource } from "../image.ts";
import type { BrokerConfig } from "./broker-config.ts";
import { brokerConfigs } from "./broker-configs.ts";
import { ConfigSource, type ConfigType } from "./definition.ts";
import { type FoundValue, findTopicValues, inTopicUnit } from "./topic-config.ts";
import { topicConfigs } from "./topic-configs.ts";

/** One setting as DescribeConfigs and CreateTopics show it. */
export interface DescribedConfig {
  readonly name: string;
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly source: ConfigSource;
  readonly type: ConfigType;
  readonly documentation: string;
  /** Every place that has a value, strongest first, in the units of those places. */
  readonly synonyms: readonly Pick<FoundValue, "name" | "value" | "source">[];
}

/** All settings of a topic that has `overrides` (which need not be in the image yet). */
export function describeTopicConfigs(
  image: CatalogImage,
  broker: BrokerConfig,
  overrides: ReadonlyMap<string, string>,
): DescribedConfig[] {
  return [...topicConfigs.values()].map((definition) => {
    const found = findTopicValues(image, broker, definition, overrides);
    const strongest = found[0];
    return {
      name: definition.name,
      value: strongest === undefined ? definition.fallback : inTopicUnit(strongest),
      readOnly: false,
      source: strongest?.source ?? ConfigSource.DEFAULT,
      type: definition.type,
      documentation: definition.documentation,
      synonyms: found,
    };
  });
}

/** All settings of the broker that answers. */
export function describeBrokerConfigs(
  image: CatalogImage,
  broker: BrokerConfig,
): DescribedConfig[] {
  const own = image.settingsOf(ConfigResource.BROKER, String(broker.nodeId));
  const all = image.settingsOf(ConfigResource.BROKER, ALL_BROKERS);
  return [...brokerConfigs.values()].map((definition) => {
    const { name } = definition;
    const found: { name: string; value: string; source: ConfigSource }[] = [];
    const add = (value: string | null | undefined, source: ConfigSource): void => {
      if (value !== undefined && value !== null) found.push({ name, value, source });
    };
    add(own.get(name), ConfigSource.DYNAMIC_BROKER);
    add(all.get(name), ConfigSource.DYNAMIC_DEFAULT_BROKER);
    add(broker.entries.get(name), ConfigSource.STATIC_BROKER);
    add(definition.fallback, ConfigSource.DEFAULT);
    return {
      name,
      value: found[0]?.value ?? null,
      readOnly: !definition.dynamic,
      source: found[0]?.source ?? ConfigSource.DEFAULT,
      type: definition.type,
      documentation: definition.documentation,
      synonyms: found,
    };
  });
}

/** What was set for all brokers together: nothing else is known of "all". */
export function describeAllBrokersConfigs(image: CatalogImage): DescribedConfig[] {
  const described: DescribedConfig[] = [];
  for (const [name, value] of image.settingsOf(ConfigResource.BROKER, ALL_BROKERS)) {
    const definition = brokerConfigs.get(name);
    if (definition === undefined) continue;
    const source = ConfigSource.DYNAMIC_DEFAULT_BROKER;
    described.push({
      name,
      value,
      readOnly: !definition.dynamic,
      source,
      type: definition.type,
      documentation: definition.documentation,
      synonyms: [{ name, value, source }],
    });
  }
  return described.sort((a, b) => (a.name < b.name ? -1 : 1));
}
