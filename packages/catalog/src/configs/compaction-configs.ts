import {
  type Check,
  type ConfigDefinition,
  ConfigType,
  type TopicConfigDefinition,
  boolean,
  double,
  int,
  listItems,
  long,
} from "./definition.ts";

/** The largest 64-bit integer, in which Kafka writes "never". */
const NEVER = "9223372036854775807";
/** The largest double, in which Kafka writes "as fast as it goes". */
const UNLIMITED = "1.7976931348623157E308";

const cleanupPolicy: Check = (value) => {
  const items = listItems(value);
  const unknown = items.find((item) => item !== "delete" && item !== "compact");
  if (unknown !== undefined) return `names ${unknown}; there are delete and compact`;
  if (new Set(items).size < items.length) return "names a policy twice";
  return items.length > 0 ? null : "names no policy; retention.ms=-1 keeps everything";
};

const define = (
  name: string,
  type: ConfigType,
  fallback: string,
  check: Check,
  synonym: string,
  documentation: string,
): TopicConfigDefinition => ({
  name,
  type,
  fallback,
  check,
  synonyms: [{ name: synonym, scale: 1 }],
  documentation,
  dynamic: true,
});

/** Topic settings that say what becomes of old records, and when. */
export const compactionTopicConfigs: readonly TopicConfigDefinition[] = [
  define(
    "cleanup.policy",
    ConfigType.LIST,
    "delete",
    cleanupPolicy,
    "log.cleanup.policy",
    "What happens to old records: delete drops whole segments by age and size, compact keeps the newest record of each key, compact,delete does both.",
  ),
  define(
    "delete.retention.ms",
    ConfigType.LONG,
    "86400000",
    long(0),
    "log.cleaner.delete.retention.ms",
    "How long compaction keeps a record without value, which says that its key was deleted, and the markers of transactions.",
  ),
  define(
    "max.compaction.lag.ms",
    ConfigType.LONG,
    NEVER,
    long(1),
    "log.cleaner.max.compaction.lag.ms",
    "Age at which a record is compacted, however little there is to clean.",
  ),
  define(
    "min.cleanable.dirty.ratio",
    ConfigType.DOUBLE,
    "0.5",
    double(0, 1),
    "log.cleaner.min.cleanable.ratio",
    "Share of a log, in bytes, that must be new since the last compaction before the next one.",
  ),
  define(
    "min.compaction.lag.ms",
    ConfigType.LONG,
    "0",
    long(0),
    "log.cleaner.min.compaction.lag.ms",
    "Age below which a record is not compacted.",
  ),
];

const broker = (
  name: string,
  type: ConfigType,
  fallback: string,
  check: Check,
  documentation: string,
): ConfigDefinition => ({ name, type, fallback, check, documentation, dynamic: true });

/** What compaction may take of this broker. */
export const cleanerBrokerConfigs: readonly ConfigDefinition[] = [
  broker(
    "log.cleaner.enable",
    ConfigType.BOOLEAN,
    "true",
    boolean,
    "Whether topics with cleanup.policy=compact are compacted.",
  ),
  broker(
    "log.cleaner.threads",
    ConfigType.INT,
    "1",
    int(1, 1),
    "Threads that compact. There is one, of low priority.",
  ),
  broker(
    "log.cleaner.backoff.ms",
    ConfigType.LONG,
    "15000",
    long(0),
    "Time between two looks for logs to compact.",
  ),
  broker(
    "log.cleaner.dedupe.buffer.size",
    ConfigType.LONG,
    "134217728",
    long(1_048_576),
    "Memory for the keys of one run of compaction, 26 bytes each. A log with more keys takes several runs.",
  ),
  broker(
    "log.cleaner.io.max.bytes.per.second",
    ConfigType.DOUBLE,
    UNLIMITED,
    double(1, Number.MAX_VALUE),
    "Bytes that compaction reads and writes in a second at most.",
  ),
];

/** Compaction's settings on one broker, typed. */
export interface CleanerConfig {
  readonly enable: boolean;
  readonly backoffMs: number;
  readonly mapBytes: number;
  /** Infinity: no limit. */
  readonly bytesPerSecondMax: number;
}

export function cleanerSettings(
  string: (name: string) => string,
  integer: (name: string) => number,
  flag: (name: string) => boolean,
): CleanerConfig {
  const bytesPerSecond = Number(string("log.cleaner.io.max.bytes.per.second"));
  return {
    enable: flag("log.cleaner.enable"),
    backoffMs: integer("log.cleaner.backoff.ms"),
    mapBytes: integer("log.cleaner.dedupe.buffer.size"),
    bytesPerSecondMax: bytesPerSecond > Number.MAX_SAFE_INTEGER ? Infinity : bytesPerSecond,
  };
}
