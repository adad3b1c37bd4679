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
import { adminAddress, addressFault, listenersFault, protocolMapFault } from "./listeners.ts";

const define = (
  name: string,
  type: ConfigType,
  fallback: string | null,
  check: Check,
  documentation: string,
): ConfigDefinition => ({ name, type, fallback, check, documentation, dynamic: false });

const oneDirectory: Check = (value) => {
  const items = listItems(value);
  if (items.length === 0) return "names no directory";
  return items.length === 1 ? null : "names several directories; this version uses one";
};

const MIB = 1024 * 1024;
/** The arena is cut into steps of a mebibyte, and its offsets are unsigned 32-bit numbers. */
const arenaSize: Check = (value) => {
  const reason = int(32 * MIB, 4095 * MIB)(value);
  if (reason !== null) return reason;
  return Number(value) % MIB === 0 ? null : `is not a multiple of ${MIB}`;
};

/** Fixed at start: where the broker is, what it listens on, what memory it takes. */
export const staticBrokerConfigs: readonly ConfigDefinition[] = [
  define("node.id", ConfigType.INT, "1", int(0), "The number of this node in the cluster."),
  define(
    "broker.rack",
    ConfigType.STRING,
    null,
    text(255),
    "The rack or zone of this node, as clients are told it.",
  ),
  define(
    "listeners",
    ConfigType.LIST,
    "PLAINTEXT://127.0.0.1:9092",
    listenersFault,
    "Addresses to listen on, NAME://host:port. An empty host is every interface, port 0 any free port.",
  ),
  define(
    "advertised.listeners",
    ConfigType.LIST,
    null,
    addressFault,
    "Addresses at which clients reach the listeners of the same names. Without it: the bound address.",
  ),
  define(
    "listener.security.protocol.map",
    ConfigType.LIST,
    "PLAINTEXT:PLAINTEXT",
    protocolMapFault,
    "The protocol of each listener name. Names that are missing are PLAINTEXT, the only protocol so far.",
  ),
  define(
    "log.dirs",
    ConfigType.LIST,
    "mantou-data",
    oneDirectory,
    "The data directory. One for now.",
  ),
  define(
    "socket.request.max.bytes",
    ConfigType.INT,
    "104857600",
    int(1024),
    "Largest request in bytes; a connection that announces more is closed.",
  ),
  define(
    "connections.max.idle.ms",
    ConfigType.LONG,
    "600000",
    long(0),
    "Idle time after which a connection is closed. 0: never.",
  ),
  define(
    "max.connections",
    ConfigType.INT,
    "65536",
    int(1, 1_000_000),
    "Most connections at a time, over all listeners; fewer where the process may open fewer files.",
  ),
  define(
    "max.connections.per.ip",
    ConfigType.INT,
    "2147483647",
    int(1),
    "Most connections at a time from one address.",
  ),
  define(
    "max.incremental.fetch.session.cache.slots",
    ConfigType.INT,
    "1000",
    int(0),
    "Incremental fetch sessions that are kept at a time.",
  ),
  define(
    "log.retention.check.interval.ms",
    ConfigType.LONG,
    "300000",
    long(1),
    "Time between two looks for segments that retention deletes.",
  ),
  define(
    "producer.id.expiration.ms",
    ConfigType.INT,
    "86400000",
    int(1),
    "Idle time after which a partition forgets an idempotent producer.",
  ),
  define(
    "mantou.producers.per.partition.max",
    ConfigType.INT,
    "10000",
    int(1, 1_000_000),
    "Idempotent producers a partition remembers. Beyond it the longest idle one is forgotten.",
  ),
  define(
    "mantou.producers.max",
    ConfigType.INT,
    "1000000",
    int(1, 16_000_000),
    "Idempotent producers all partitions remember. Beyond it the longest idle one is forgotten.",
  ),
  define(
    "mantou.arena.bytes",
    ConfigType.LONG,
    "176160768",
    arenaSize,
    "Memory in which requests arrive; a request may take five eighths of it. Connections wait while it is full.",
  ),
  define(
    "mantou.connection.quota.bytes",
    ConfigType.LONG,
    "67108864",
    long(65_536),
    "Bytes of unanswered requests at which a connection is no longer read.",
  ),
  define(
    "mantou.output.quota.bytes",
    ConfigType.LONG,
    "67108864",
    long(65_536),
    "Bytes of unsent responses at which a connection is no longer read.",
  ),
  define(
    "mantou.disk.reserve.bytes",
    ConfigType.LONG,
    "67108864",
    long(0),
    "Disk space held back so that deletes and checkpoints work on a full disk.",
  ),
  define(
    "mantou.disk.free.min.bytes",
    ConfigType.LONG,
    "134217728",
    long(0),
    "Free disk space below which produce requests are refused, with a retriable error.",
  ),
  define(
    "mantou.group.hold.ms",
    ConfigType.INT,
    "2",
    int(0, 1000),
    "How long small appends may wait under steady load to share one fsync.",
  ),
  define(
    "mantou.flush.strategy",
    ConfigType.STRING,
    "auto",
    oneOf("auto", "pool", "syncfs"),
    "How appends are fsynced: auto follows the file system, pool syncs each file, syncfs the volume (only if it is the broker's own).",
  ),
  define(
    "mantou.admin.listen",
    ConfigType.STRING,
    null,
    adminAddress,
    "HOST:PORT for /healthz, /readyz and /metrics, or none. Without it: 127.0.0.1:9644, where that is free.",
  ),
  define(
    "mantou.metrics.enable",
    ConfigType.BOOLEAN,
    "true",
    boolean,
    "Whether requests are counted and timed for /metrics. What the engine counts is there in any case.",
  ),
  define(
    "mantou.metrics.topics.max",
    ConfigType.INT,
    "100",
    int(0, 10_000),
    "Topics that /metrics shows by name; the rest is shown as one. 0: no topic.",
  ),
  define(
    "mantou.files.open.max",
    ConfigType.INT,
    "0",
    int(0),
    "Segment files that may be open at a time, 16 to 32768. 0: half of the process's limit.",
  ),
];
