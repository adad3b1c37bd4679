import { compactionTopicConfigs } from "./compaction-configs.ts";
import {
  ConfigType,
  type Check,
  type TopicConfigDefinition,
  boolean,
  int,
  long,
  oneOf,
  only,
} from "./definition.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** The largest 64-bit integer, in which Kafka writes "never". */
const NEVER = "9223372036854775807";

const alwaysFsync = only(
  NEVER,
  "acknowledged records are fsynced in groups; see mantou.durability for the page cache",
);

const define = (
  name: string,
  type: ConfigType,
  fallback: string,
  check: Check,
  synonyms: TopicConfigDefinition["synonyms"],
  documentation: string,
): TopicConfigDefinition => ({
  name,
  type,
  fallback,
  check,
  synonyms,
  documentation,
  dynamic: true,
});

const same = (name: string): TopicConfigDefinition["synonyms"] => [{ name, scale: 1 }];

/** The topic settings of reference section 8 that are in force, and ours. */
const definitions: readonly TopicConfigDefinition[] = [
  ...compactionTopicConfigs,
  define(
    "compression.type",
    ConfigType.STRING,
    "producer",
    only("producer", "batches are kept as their producer compressed them"),
    same("compression.type"),
    "The codec in which batches are stored: always the producer's own.",
  ),
  define(
    "file.delete.delay.ms",
    ConfigType.LONG,
    "60000",
    long(0),
    same("log.segment.delete.delay.ms"),
    "How long a deleted segment's file stays before its space is given back.",
  ),
  define(
    "flush.messages",
    ConfigType.LONG,
    NEVER,
    alwaysFsync,
    same("log.flush.interval.messages"),
    "Records between flushes in Kafka. Here mantou.durability decides instead.",
  ),
  define(
    "flush.ms",
    ConfigType.LONG,
    NEVER,
    alwaysFsync,
    same("log.flush.interval.ms"),
    "Time between flushes in Kafka. Here mantou.durability decides instead.",
  ),
  define(
    "index.interval.bytes",
    ConfigType.INT,
    "4096",
    int(0),
    same("log.index.interval.bytes"),
    "Bytes of log between two entries of the offset index.",
  ),
  define(
    "mantou.durability",
    ConfigType.STRING,
    "fsync",
    oneOf("fsync", "page-cache"),
    same("mantou.durability"),
    "fsync: acks=all answers, and consumers see, what is on disk. page-cache: what was written, which a power failure can take back.",
  ),
  define(
    "mantou.validate.records",
    ConfigType.BOOLEAN,
    "false",
    boolean,
    same("mantou.validate.records"),
    "Whether every record of a batch is read before it is accepted, inflating it if needed.",
  ),
  define(
    "max.message.bytes",
    ConfigType.INT,
    "1048588",
    int(0),
    same("message.max.bytes"),
    "Largest record batch, as it comes from the producer, in bytes.",
  ),
  define(
    "message.timestamp.after.max.ms",
    ConfigType.LONG,
    "3600000",
    long(0),
    same("log.message.timestamp.after.max.ms"),
    "How far a record's timestamp may be ahead of the broker's clock.",
  ),
  define(
    "message.timestamp.before.max.ms",
    ConfigType.LONG,
    NEVER,
    long(0),
    same("log.message.timestamp.before.max.ms"),
    "How far a record's timestamp may be behind the broker's clock.",
  ),
  define(
    "message.timestamp.type",
    ConfigType.STRING,
    "CreateTime",
    oneOf("CreateTime", "LogAppendTime"),
    same("log.message.timestamp.type"),
    "Whether records keep their producer's timestamp or get the time of the append.",
  ),
  define(
    "min.insync.replicas",
    ConfigType.INT,
    "1",
    int(1),
    same("min.insync.replicas"),
    "In-sync replicas without which a produce with acks=all is refused.",
  ),
  define(
    "preallocate",
    ConfigType.BOOLEAN,
    "false",
    boolean,
    same("log.preallocate"),
    "Whether a new segment's file gets its whole space at once.",
  ),
  define(
    "retention.bytes",
    ConfigType.LONG,
    "-1",
    long(-1),
    same("log.retention.bytes"),
    "Bytes of a partition beyond which its oldest segments are deleted. -1: no limit.",
  ),
  define(
    "retention.ms",
    ConfigType.LONG,
    "604800000",
    long(-1),
    [
      { name: "log.retention.ms", scale: 1 },
      { name: "log.retention.minutes", scale: MINUTE_MS },
      { name: "log.retention.hours", scale: HOUR_MS },
    ],
    "Age at which a segment is deleted, by its largest timestamp. -1: no limit.",
  ),
  define(
    "segment.bytes",
    ConfigType.INT,
    "1073741824",
    int(1_048_576),
    same("log.segment.bytes"),
    "Size at which a partition starts a new segment file.",
  ),
  define(
    "segment.index.bytes",
    ConfigType.INT,
    "10485760",
    int(4),
    same("log.index.size.max.bytes"),
    "Largest size of a segment's index; a full one starts a new segment.",
  ),
  define(
    "segment.jitter.ms",
    ConfigType.LONG,
    "0",
    long(0),
    [
      { name: "log.roll.jitter.ms", scale: 1 },
      { name: "log.roll.jitter.hours", scale: HOUR_MS },
    ],
    "Largest random time by which a partition's segment.ms is shortened, so that segments do not all end at once.",
  ),
  define(
    "segment.ms",
    ConfigType.LONG,
    "604800000",
    long(1),
    [
      { name: "log.roll.ms", scale: 1 },
      { name: "log.roll.hours", scale: HOUR_MS },
    ],
    "Age at which a partition starts a new segment file, even if the old one is small.",
  ),
  define(
    "unclean.leader.election.enable",
    ConfigType.BOOLEAN,
    "false",
    only("false", "a replica that is not in sync never leads, since it would lose records"),
    same("unclean.leader.election.enable"),
    "Whether a replica that lacks acknowledged records may lead. Never here.",
  ),
];

export const topicConfigs: ReadonlyMap<string, TopicConfigDefinition> = new Map(
  definitions.map((definition) => [definition.name, definition]),
);
