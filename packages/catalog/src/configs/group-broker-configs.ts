import {
  type Check,
  type ConfigDefinition,
  ConfigType,
  int,
  listItems,
  long,
  oneOf,
} from "./definition.ts";

const define = (
  name: string,
  type: ConfigType,
  fallback: string,
  check: Check,
  documentation: string,
): ConfigDefinition => ({ name, type, fallback, check, documentation, dynamic: false });

const number = (
  name: string,
  fallback: number,
  low: number,
  documentation: string,
): ConfigDefinition => define(name, ConfigType.INT, String(fallback), int(low), documentation);

const assignors: Check = (value) => {
  const items = listItems(value);
  if (items.length === 0) return "names no assignor";
  const unknown = items.find((item) => item !== "uniform" && item !== "range");
  if (unknown !== undefined) return `names ${unknown}; there are uniform and range`;
  return new Set(items).size === items.length ? null : "names an assignor twice";
};

const SEGMENT_BYTES_MIN = 1024 * 1024;

/** What one topic of coordinators is created with. */
function internalTopic(prefix: string, whose: string): ConfigDefinition[] {
  return [
    define(
      `${prefix}.num.partitions`,
      ConfigType.INT,
      "50",
      int(1, 10_000),
      `Partitions of the topic of ${whose} when it is created.`,
    ),
    define(
      `${prefix}.replication.factor`,
      ConfigType.INT,
      "3",
      int(1, 32_767),
      `Replicas of the topic of ${whose} when it is created; as many as there are brokers where those are fewer.`,
    ),
    define(
      `${prefix}.segment.bytes`,
      ConfigType.INT,
      "104857600",
      int(SEGMENT_BYTES_MIN),
      `Bytes of a segment of the topic of ${whose} when it is created.`,
    ),
  ];
}

const offsets: readonly ConfigDefinition[] = [
  ...internalTopic("offsets.topic", "consumer groups"),
  number(
    "offsets.retention.minutes",
    10_080,
    1,
    "How long a group without members keeps its offsets, and a standalone consumer its own.",
  ),
  define(
    "offsets.retention.check.interval.ms",
    ConfigType.LONG,
    "600000",
    long(1),
    "Time between two looks for offsets that have expired.",
  ),
  number("offset.metadata.max.bytes", 4096, 0, "Most bytes of text beside one committed offset."),
];

const classicGroups: readonly ConfigDefinition[] = [
  number("group.min.session.timeout.ms", 6000, 1, "Shortest session a classic member may ask for."),
  number(
    "group.max.session.timeout.ms",
    1_800_000,
    1,
    "Longest session a classic member may ask for.",
  ),
  number(
    "group.initial.rebalance.delay.ms",
    3000,
    0,
    "How long an empty classic group waits for more members before its first round ends.",
  ),
  number("group.max.size", 0x7fff_ffff, 1, "Most members of a classic group."),
];

const consumerGroups: readonly ConfigDefinition[] = [
  number(
    "group.consumer.session.timeout.ms",
    45_000,
    1,
    "Silence after which a member of a consumer group is removed.",
  ),
  number(
    "group.consumer.min.session.timeout.ms",
    45_000,
    1,
    "Least consumer.session.timeout.ms of a group.",
  ),
  number(
    "group.consumer.max.session.timeout.ms",
    60_000,
    1,
    "Greatest consumer.session.timeout.ms of a group.",
  ),
  number(
    "group.consumer.heartbeat.interval.ms",
    5000,
    1,
    "How often members of a consumer group are told to send a heartbeat.",
  ),
  number(
    "group.consumer.min.heartbeat.interval.ms",
    5000,
    1,
    "Least consumer.heartbeat.interval.ms of a group.",
  ),
  number(
    "group.consumer.max.heartbeat.interval.ms",
    15_000,
    1,
    "Greatest consumer.heartbeat.interval.ms of a group.",
  ),
  number("group.consumer.max.size", 0x7fff_ffff, 1, "Most members of a consumer group."),
  define(
    "group.consumer.assignors",
    ConfigType.LIST,
    "uniform,range",
    assignors,
    "Assignors that consumer groups may use. The first is for members that name none.",
  ),
  number(
    "group.consumer.assignment.interval.ms",
    1000,
    0,
    "Least time between two assignments of a consumer group.",
  ),
  define(
    "group.consumer.migration.policy",
    ConfigType.STRING,
    "bidirectional",
    oneOf("disabled", "upgrade", "downgrade", "bidirectional"),
    "Whether a group may change between the classic and the consumer protocol while it has members.",
  ),
];

const transactionTopic: readonly ConfigDefinition[] = [
  ...internalTopic("transaction.state.log", "transactions"),
  define(
    "transaction.state.log.min.isr",
    ConfigType.INT,
    "2",
    int(1, 32_767),
    "min.insync.replicas of the topic of transactions when it is created; not above its replicas.",
  ),
];

/** Consumer groups, their offsets and the topics that coordinators write to. Fixed at start. */
export const groupBrokerConfigs: readonly ConfigDefinition[] = [
  ...offsets,
  ...classicGroups,
  ...consumerGroups,
  ...transactionTopic,
];
