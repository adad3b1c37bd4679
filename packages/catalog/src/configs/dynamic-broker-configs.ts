import { type Check, type ConfigDefinition, ConfigType, boolean, int } from "./definition.ts";

const define = (
  name: string,
  type: ConfigType,
  fallback: string,
  check: Check,
  documentation: string,
): ConfigDefinition => ({ name, type, fallback, check, documentation, dynamic: true });

/**
 * A broker that starts takes up what it led before: one entry of the metadata log, of 25 bytes for
 * each topic with one partition. The log takes entries of 8 MiB.
 */
const PARTITIONS_MAX_MAX = 300_000;

/** Looked up at each decision, for one broker or for all. */
export const dynamicBrokerConfigs: readonly ConfigDefinition[] = [
  define(
    "auto.create.topics.enable",
    ConfigType.BOOLEAN,
    "true",
    boolean,
    "Whether a client that asks for a topic that does not exist gets it created.",
  ),
  define(
    "num.partitions",
    ConfigType.INT,
    "1",
    int(1, 100_000),
    "Partitions of a topic whose creator names no number.",
  ),
  define(
    "default.replication.factor",
    ConfigType.INT,
    "1",
    int(1, 32_767),
    "Replicas of a topic whose creator names no number.",
  ),
  define(
    "delete.topic.enable",
    ConfigType.BOOLEAN,
    "true",
    boolean,
    "Whether topics can be deleted.",
  ),
  define(
    "fetch.max.bytes",
    ConfigType.INT,
    "57671680",
    int(1024),
    "Most bytes of records in one fetch response, whatever the client asks for.",
  ),
  define(
    "max.request.partition.size.limit",
    ConfigType.INT,
    "2000",
    int(1),
    "Most partitions in one DescribeTopicPartitions response.",
  ),
  define(
    "mantou.partitions.per.topic.max",
    ConfigType.INT,
    "10000",
    int(1, 100_000),
    "Most partitions of one topic.",
  ),
  define(
    "mantou.partitions.max",
    ConfigType.INT,
    "200000",
    int(1, PARTITIONS_MAX_MAX),
    "Most partitions of all topics together, up to 300000.",
  ),
];
