import { cleanerBrokerConfigs } from "./compaction-configs.ts";
import { type ConfigDefinition, ConfigType, int, long } from "./definition.ts";
import { dynamicBrokerConfigs } from "./dynamic-broker-configs.ts";
import { groupBrokerConfigs } from "./group-broker-configs.ts";
import { staticBrokerConfigs } from "./static-broker-configs.ts";
import { topicConfigs } from "./topic-configs.ts";
import { transactionBrokerConfigs } from "./transaction-broker-configs.ts";

/** Names under which a broker holds defaults of topic settings, in the broker's units. */
const unitNames: Readonly<Record<string, readonly [fallback: string | null, lowest: number]>> = {
  "log.retention.ms": [null, -1],
  "log.retention.minutes": [null, -1],
  "log.retention.hours": ["168", -1],
  "log.roll.ms": [null, 1],
  "log.roll.hours": ["168", 1],
  "log.roll.jitter.ms": [null, 0],
  "log.roll.jitter.hours": ["0", 0],
};

function topicDefaults(): ConfigDefinition[] {
  const definitions: ConfigDefinition[] = [];
  for (const topic of topicConfigs.values()) {
    for (const { name, scale } of topic.synonyms) {
      const unit = unitNames[name];
      const fallback = unit === undefined ? topic.fallback : unit[0];
      const check = unit === undefined ? topic.check : scale === 1 ? long(unit[1]) : int(unit[1]);
      const type = scale === 1 ? topic.type : ConfigType.INT;
      const documentation = `What a topic without ${topic.name} of its own gets. ${topic.documentation}`;
      definitions.push({ name, type, fallback, check, documentation, dynamic: true });
    }
  }
  return definitions;
}

/** Every setting of a broker that is in force, by name. */
export const brokerConfigs: ReadonlyMap<string, ConfigDefinition> = new Map(
  [
    ...staticBrokerConfigs,
    ...dynamicBrokerConfigs,
    ...cleanerBrokerConfigs,
    ...groupBrokerConfigs,
    ...transactionBrokerConfigs,
    ...topicDefaults(),
  ]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((definition) => [definition.name, definition]),
);
