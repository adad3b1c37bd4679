import { ALL_BROKERS, type CatalogImage, ConfigResource } from "../image.ts";
import type { BrokerConfig } from "./broker-config.ts";
import { brokerConfigs } from "./broker-configs.ts";
import {
  ConfigSource,
  type TopicConfigDefinition,
  integerOf,
  isTrue,
  listItems,
} from "./definition.ts";
import { topicConfigs } from "./topic-configs.ts";

/** The settings of one topic, typed. Times in milliseconds, sizes in bytes; "never" is 2^53 - 1. */
export interface TopicConfig {
  /** The topic's name. */
  readonly topic: string;
  /** Old records go: whole segments by age and size. */
  readonly cleanupDelete: boolean;
  /** Superseded records go: the newest of each key stays, and every record needs a key. */
  readonly cleanupCompact: boolean;
  readonly deleteRetentionMs: number;
  readonly maxCompactionLagMs: number;
  readonly minCleanableDirtyRatio: number;
  readonly minCompactionLagMs: number;
  readonly fileDeleteDelayMs: number;
  readonly indexIntervalBytes: number;
  readonly durability: "fsync" | "page-cache";
  readonly validateRecords: boolean;
  readonly maxMessageBytes: number;
  readonly messageTimestampAfterMaxMs: number;
  readonly messageTimestampBeforeMaxMs: number;
  readonly messageTimestampType: "CreateTime" | "LogAppendTime";
  readonly minInsyncReplicas: number;
  readonly preallocate: boolean;
  /** -1: no limit. */
  readonly retentionBytes: number;
  /** -1: no limit. */
  readonly retentionMs: number;
  readonly segmentBytes: number;
  readonly segmentIndexBytes: number;
  readonly segmentJitterMs: number;
  readonly segmentMs: number;
}

/** The part of a topic's settings that its logs follow; the shape of `LogConfig` in io. */
export type TopicLogConfig = Pick<
  TopicConfig,
  | "segmentBytes"
  | "segmentMs"
  | "segmentJitterMs"
  | "segmentIndexBytes"
  | "indexIntervalBytes"
  | "fileDeleteDelayMs"
  | "preallocate"
  | "durability"
>;

/** One place where a value of a topic setting was found, in the unit of that place. */
export interface FoundValue {
  readonly name: string;
  readonly value: string;
  readonly source: ConfigSource;
  /** Units of the topic setting in one of `value`. */
  readonly scale: number;
}

/**
 * Every place that has a value, strongest first: the topic itself; then its broker names in order
 * of precedence, each as set for this broker, for all brokers, at start; then the default.
 */
export function findTopicValues(
  image: CatalogImage,
  broker: BrokerConfig,
  definition: TopicConfigDefinition,
  overrides: ReadonlyMap<string, string>,
): FoundValue[] {
  const own = image.settingsOf(ConfigResource.BROKER, String(broker.nodeId));
  const all = image.settingsOf(ConfigResource.BROKER, ALL_BROKERS);
  const found: FoundValue[] = [];
  const add = (
    name: string,
    value: string | null | undefined,
    source: ConfigSource,
    scale: number,
  ): void => {
    if (value !== undefined && value !== null) found.push({ name, value, source, scale });
  };
  add(definition.name, overrides.get(definition.name), ConfigSource.TOPIC, 1);
  for (const { name, scale } of definition.synonyms) {
    add(name, own.get(name), ConfigSource.DYNAMIC_BROKER, scale);
    add(name, all.get(name), ConfigSource.DYNAMIC_DEFAULT_BROKER, scale);
    add(name, broker.entries.get(name), ConfigSource.STATIC_BROKER, scale);
  }
  for (const { name, scale } of definition.synonyms) {
    add(name, brokerConfigs.get(name)?.fallback, ConfigSource.DEFAULT, scale);
  }
  return found;
}

/** A found value in the unit of the topic setting. "-1" stays what it is: no limit. */
export function inTopicUnit(found: FoundValue): string {
  if (found.scale === 1 || found.value === "-1") return found.value;
  return String(BigInt(found.value) * BigInt(found.scale));
}

/**
 * Why a topic's settings cannot hold together, or null: a record that may be compacted only after
 * the age at which it has to be would leave one of the two settings without effect (KIP-354).
 */
export function topicConfigConflict(
  image: CatalogImage,
  broker: BrokerConfig,
  overrides: ReadonlyMap<string, string>,
): string | null {
  const names = ["min.compaction.lag.ms", "max.compaction.lag.ms"] as const;
  // A topic with neither follows the brokers' settings, which it cannot be blamed for.
  if (!names.some((name) => overrides.has(name))) return null;
  const [least, most] = names.map((name) => {
    const definition = topicConfigs.get(name) as TopicConfigDefinition;
    const strongest = findTopicValues(image, broker, definition, overrides)[0];
    return BigInt(strongest === undefined ? (definition.fallback ?? 0) : inTopicUnit(strongest));
  }) as [bigint, bigint];
  if (least <= most) return null;
  return `min.compaction.lag.ms (${least}) is above max.compaction.lag.ms (${most})`;
}

/** What governs a topic on this broker now. Keep it by `image.revision`: it reads every table. */
export function resolveTopicConfig(
  image: CatalogImage,
  broker: BrokerConfig,
  topic: string,
): TopicConfig {
  const overrides = image.settingsOf(ConfigResource.TOPIC, topic);
  const value = (name: string): string => {
    const definition = topicConfigs.get(name);
    if (definition === undefined) return "";
    const strongest = findTopicValues(image, broker, definition, overrides)[0];
    return strongest === undefined ? (definition.fallback ?? "") : inTopicUnit(strongest);
  };
  const integer = (name: string): number => integerOf(value(name));
  const policies = listItems(value("cleanup.policy"));
  return {
    topic,
    cleanupDelete: policies.includes("delete"),
    cleanupCompact: policies.includes("compact"),
    deleteRetentionMs: integer("delete.retention.ms"),
    maxCompactionLagMs: integer("max.compaction.lag.ms"),
    minCleanableDirtyRatio: Number(value("min.cleanable.dirty.ratio")),
    minCompactionLagMs: integer("min.compaction.lag.ms"),
    fileDeleteDelayMs: integer("file.delete.delay.ms"),
    indexIntervalBytes: integer("index.interval.bytes"),
    durability: value("mantou.durability") as TopicConfig["durability"],
    validateRecords: isTrue(value("mantou.validate.records")),
    maxMessageBytes: integer("max.message.bytes"),
    messageTimestampAfterMaxMs: integer("message.timestamp.after.max.ms"),
    messageTimestampBeforeMaxMs: integer("message.timestamp.before.max.ms"),
    messageTimestampType: value("message.timestamp.type") as TopicConfig["messageTimestampType"],
    minInsyncReplicas: integer("min.insync.replicas"),
    preallocate: isTrue(value("preallocate")),
    retentionBytes: integer("retention.bytes"),
    retentionMs: integer("retention.ms"),
    segmentBytes: integer("segment.bytes"),
    segmentIndexBytes: integer("segment.index.bytes"),
    segmentJitterMs: integer("segment.jitter.ms"),
    segmentMs: integer("segment.ms"),
  };
}

/** Exactly the fields of io's `LogConfig`. */
export function logConfigOf(config: TopicConfig): TopicLogConfig {
  return {
    segmentBytes: config.segmentBytes,
    // A segment ends in time for its records to be compacted (KIP-354).
    segmentMs: config.cleanupCompact
      ? Math.min(config.segmentMs, config.maxCompactionLagMs)
      : config.segmentMs,
    segmentJitterMs: config.segmentJitterMs,
    segmentIndexBytes: config.segmentIndexBytes,
    indexIntervalBytes: config.indexIntervalBytes,
    fileDeleteDelayMs: config.fileDeleteDelayMs,
    preallocate: config.preallocate,
    durability: config.durability,
  };
}
