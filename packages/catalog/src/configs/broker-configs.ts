import {
  type Check,
  type ConfigDefinition,
  ConfigType,
  boolean,
  int,
  listItems,
  long,
  oneOf,
  text,
} from "./definition.ts";
import { addressFault, listenersFault, protocolMapFault } from "./listeners.ts";
import { topicConfigs } from "./topic-configs.ts";

const define = (
  name: string,
  type: ConfigType,
  fallback: string | null,
  check: Check,
  dynamic: boolean,
  documentation: string,
): ConfigDefinition => ({ name, type, fallback, check, documentation, dynamic });

const oneDirectory: Check = (value) => {
  const items = listItems(value);
  if (items.length === 0) return "names no directory";
  return items.length === 1 ? null : "names several directories; this version uses one";
};

/** Fixed at start: where the broker is, what it listens on, what memory it takes. */
const staticDefinitions: readonly ConfigDefinition[] = [
  define("node.id", ConfigType.INT, "1", int(0), false, "The number of this node in the cluster."),
  define(
    "broker.rack",
    ConfigType.STRING,
    null,
    text(255),
    false,
    "The rack or zone of this node, as clients are told it.",
  ),
  define(
    "listeners",
    ConfigType.LIST,
    "PLAINTEXT://127.0.0.1:9092",
    listenersFault,
    false,
    "Addresses to listen on, NAME://host:port. An empty host is every interface, port 0 any free port.",
  ),
  define(
    "advertised.listeners",
    ConfigType.LIST,
    null,
    addressFault,
    false,
    "Addresses at which clients reach the listeners of the same names. Without it: the bound address.",
  ),
  define(
    "listener.security.protocol.map",
    ConfigType.LIST,
    "PLAINTEXT:PLAINTEXT",
    protocolMapFault,
    false,
    "The protocol of each listener name. Names that are missing are PLAINTEXT, the only protocol so far.",
  ),
  define(
    "log.dirs",
    ConfigType.LIST,
    "mantou-data",
    oneDirectory,
    false,
    "The data directory. One for now.",
  ),
  define(
    "socket.request.max.bytes",
    ConfigType.INT,
    "104857600",
    int(1024),
    false,
    "Largest request in bytes; a connection that announces more is closed.",
  ),
  define(
    "connections.max.idle.ms",
    ConfigType.LONG,
    "600000",
    long(0),
    false,
    "Idle time after which a connection is closed. 0: never.",
  ),
  define(
    "max.connections",
    ConfigType.INT,
    "65536",
    int(1, 1_000_000),
    false,
    "Most connections at a time, over all listeners.",
  ),
  define(
    "max.connections.per.ip",
    ConfigType.INT,
    "2147483647",
    int(1),
    false,
    "Most connections at a time from one address.",
  ),
  define(
    "max.incremental.fetch.session.cache.slots",
    ConfigType.INT,
    "1000",
    int(0),
    false,
    "Incremental fetch sessions that are kept at a time.",
  ),
  define(
    "log.retention.check.interval.ms",
    ConfigType.LONG,
    "300000",
    long(1),
    false,
    "Time between two looks for segments that retention deletes.",
  ),
  define(
    "mantou.arena.bytes",
    ConfigType.LONG,
    "268435456",
    long(16 * 1024 * 1024),
    false,
    "Memory in which requests arrive. Connections wait while it is full.",
  ),
  define(
    "mantou.connection.quota.bytes",
    ConfigType.LONG,
    "67108864",
    long(65_536),
    false,
    "Bytes of unanswered requests at which a connection is no longer read.",
  ),
  define(
    "mantou.output.quota.bytes",
    ConfigType.LONG,
    "67108864",
    long(65_536),
    false,
    "Bytes of unsent responses at which a connection is no longer read.",
  ),
  define(
    "mantou.disk.reserve.bytes",
    ConfigType.LONG,
    "67108864",
    long(0),
    false,
    "Disk space held back so that deletes and checkpoints work on a full disk.",
  ),
  define(
    "mantou.disk.free.min.bytes",
    ConfigType.LONG,
    "134217728",
    long(0),
    false,
    "Free disk space below which produce requests are refused, with a retriable error.",
  ),
  define(
    "mantou.group.hold.ms",
    ConfigType.INT,
    "2",
    int(0, 1000),
    false,
    "How long small appends may wait under steady load to share one fsync.",
  ),
  define(
    "mantou.flush.strategy",
    ConfigType.STRING,
    "auto",
    oneOf("auto", "pool", "syncfs"),
    false,
    "How appends are fsynced: auto follows the file system, pool syncs each file, syncfs the volume (only if it is the broker's own).",
  ),
  define(
    "mantou.files.open.max",
    ConfigType.INT,
    "0",
    int(0),
    false,
    "Segment files that may be open at a time. 0: from the process's limit.",
  ),
];

/** Looked up at each decision, for one broker or for all. */
const dynamicDefinitions: readonly ConfigDefinition[] = [
  define(
    "auto.create.topics.enable",
    ConfigType.BOOLEAN,
    "true",
    boolean,
    true,
    "Whether a client that asks for a topic that does not exist gets it created.",
  ),
  define(
    "num.partitions",
    ConfigType.INT,
    "1",
    int(1, 100_000),
    true,
    "Partitions of a topic whose creator names no number.",
  ),
  define(
    "default.replication.factor",
    ConfigType.INT,
    "1",
    int(1, 32_767),
    true,
    "Replicas of a topic whose creator names no number.",
  ),
  define(
    "delete.topic.enable",
    ConfigType.BOOLEAN,
    "true",
    boolean,
    true,
    "Whether topics can be deleted.",
  ),
  define(
    "fetch.max.bytes",
    ConfigType.INT,
    "57671680",
    int(1024),
    true,
    "Most bytes of records in one fetch response, whatever the client asks for.",
  ),
  define(
    "max.request.partition.size.limit",
    ConfigType.INT,
    "2000",
    int(1),
    true,
    "Most partitions in one DescribeTopicPartitions response.",
  ),
  define(
    "producer.id.expiration.ms",
    ConfigType.INT,
    "86400000",
    int(1),
    true,
    "Idle time after which a partition forgets an idempotent producer.",
  ),
  define(
    "mantou.partitions.per.topic.max",
    ConfigType.INT,
    "10000",
    int(1, 100_000),
    true,
    "Most partitions of one topic.",
  ),
  define(
    "mantou.partitions.max",
    ConfigType.INT,
    "200000",
    int(1, 4_000_000),
    true,
    "Most partitions of all topics together.",
  ),
  define(
    "mantou.producers.per.partition.max",
    ConfigType.INT,
    "10000",
    int(1, 1_000_000),
    true,
    "Idempotent producers a partition remembers. Beyond it the longest idle one is forgotten.",
  ),
  define(
    "mantou.producers.max",
    ConfigType.INT,
    "1000000",
    int(1, 16_000_000),
    true,
    "Idempotent producers all partitions remember. Beyond it the longest idle one is forgotten.",
  ),
];

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
  [...staticDefinitions, ...dynamicDefinitions, ...topicDefaults()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((definition) => [definition.name, definition]),
);
