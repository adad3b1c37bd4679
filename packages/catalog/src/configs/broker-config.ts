import { type Result, err, ok } from "@mantou/base";
import { ALL_BROKERS, type CatalogImage, ConfigResource } from "../image.ts";
import { brokerConfigs } from "./broker-configs.ts";
import { type CleanerConfig, cleanerSettings } from "./compaction-configs.ts";
import { integerOf, isTrue, listItems, refusal } from "./definition.ts";
import { type ListenerAddress, parseListeners } from "./listeners.ts";
import { unknownName } from "./suggest.ts";
import { type TransactionBrokerConfig, transactionSettings } from "./transaction-broker-configs.ts";

/** Bytes of the size that precedes every request. */
const FRAME_PREFIX_BYTES = 4;

/** The settings of one broker, typed. Times in milliseconds, sizes in bytes. */
export interface BrokerConfig {
  /** What was given at start (file, environment, flags), checked, by name. */
  readonly entries: ReadonlyMap<string, string>;

  readonly nodeId: number;
  readonly rack: string | null;
  readonly listeners: readonly ListenerAddress[];
  /** Empty: the bound addresses are advertised. */
  readonly advertisedListeners: readonly ListenerAddress[];
  readonly logDir: string;
  readonly socketRequestMaxBytes: number;
  readonly connectionsMaxIdleMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  readonly fetchSessionSlots: number;
  readonly logRetentionCheckIntervalMs: number;
  readonly arenaBytes: number;
  readonly connectionQuotaBytes: number;
  readonly outputQuotaBytes: number;
  readonly diskReserveBytes: number;
  readonly diskFreeMinBytes: number;
  readonly groupHoldMs: number;
  readonly flushStrategy: "auto" | "pool" | "syncfs";
  readonly filesOpenMax: number;
  /** Null: the usual address, where it is free. "none": no admin listener. */
  readonly adminListen: string | null;
  readonly metricsEnable: boolean;
  readonly metricsTopicsMax: number;

  readonly autoCreateTopicsEnable: boolean;
  readonly numPartitions: number;
  readonly defaultReplicationFactor: number;
  readonly deleteTopicEnable: boolean;
  readonly fetchMaxBytes: number;
  readonly maxRequestPartitionSizeLimit: number;
  readonly producerIdExpirationMs: number;
  readonly partitionsPerTopicMax: number;
  readonly partitionsMax: number;
  readonly producersPerPartitionMax: number;
  readonly producersMax: number;

  readonly cleaner: CleanerConfig;
  readonly groups: GroupBrokerConfig;
  readonly offsetsTopic: InternalTopicConfig;
  readonly transactions: TransactionBrokerConfig;
  readonly transactionTopic: InternalTopicConfig & { readonly minInsyncReplicas: number };
}

/** What the topic of a coordinator is created with. */
export interface InternalTopicConfig {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly segmentBytes: number;
}

/** Settings of the group coordinator; the shape that `GroupSettings` in groups builds on. */
export interface GroupBrokerConfig {
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
  readonly initialRebalanceDelayMs: number;
  readonly classicMembersMax: number;
  readonly offsetMetadataBytesMax: number;
  readonly offsetsRetentionMs: number;
  readonly offsetsRetentionCheckIntervalMs: number;
  readonly consumer: {
    readonly sessionTimeoutMs: number;
    readonly sessionTimeoutMsMin: number;
    readonly sessionTimeoutMsMax: number;
    readonly heartbeatIntervalMs: number;
    readonly heartbeatIntervalMsMin: number;
    readonly heartbeatIntervalMsMax: number;
    readonly membersMax: number;
    readonly assignors: readonly string[];
    readonly assignmentIntervalMs: number;
    readonly migrationPolicy: "disabled" | "upgrade" | "downgrade" | "bidirectional";
  };
}

/**
 * Checks what a person wrote for this broker and types it. Later entries win over earlier ones,
 * so a caller puts files first and flags last. Errors are one line each, all of them at once.
 */
export function parseBrokerConfig(
  given: Iterable<readonly [name: string, value: string]>,
): Result<BrokerConfig, readonly string[]> {
  const entries = new Map<string, string>();
  const faults: string[] = [];
  for (const [givenName, givenValue] of given) {
    const name = givenName === "log.dir" ? "log.dirs" : givenName;
    const value = givenValue.trim();
    const definition = brokerConfigs.get(name);
    if (definition === undefined) {
      faults.push(unknownName(name, brokerConfigs.keys()));
      continue;
    }
    const reason = definition.check(value);
    if (reason !== null) faults.push(refusal(givenName, value, reason));
    entries.set(name, value);
  }
  if (faults.length > 0) return err(faults);
  const config = typed((name) => entries.get(name) ?? fallbackOf(name), entries);
  const names = new Set(config.listeners.map((listener) => listener.name));
  for (const { name } of config.advertisedListeners) {
    if (!names.has(name)) faults.push(`advertised.listeners: ${name} is not one of listeners`);
  }
  if ((config.arenaBytes / 8) * 5 - FRAME_PREFIX_BYTES < config.socketRequestMaxBytes) {
    const most = config.socketRequestMaxBytes;
    faults.push(
      `mantou.arena.bytes: five eighths of it must hold one request, socket.request.max.bytes is ${most}`,
    );
  }
  faults.push(...groupFaults(config));
  return faults.length > 0 ? err(faults) : ok(config);
}

/**
 * The broker's settings now: what was set while it runs, for it or for all brokers, over what it
 * was started with. Cheap enough for cold paths; keep it by `image.revision` elsewhere.
 */
export function resolveBrokerConfig(image: CatalogImage, started: BrokerConfig): BrokerConfig {
  const own = image.settingsOf(ConfigResource.BROKER, String(started.nodeId));
  const all = image.settingsOf(ConfigResource.BROKER, ALL_BROKERS);
  if (own.size === 0 && all.size === 0) return started;
  const value = (name: string): string | null => {
    if (brokerConfigs.get(name)?.dynamic !== true) {
      return started.entries.get(name) ?? fallbackOf(name);
    }
    return own.get(name) ?? all.get(name) ?? started.entries.get(name) ?? fallbackOf(name);
  };
  return typed(value, started.entries);
}

/**
 * The setting that an environment variable means, without its MANTOU_ prefix: NUM_PARTITIONS is
 * num.partitions, ARENA_BYTES is mantou.arena.bytes. Unknown names come back in dotted form.
 */
export function brokerConfigNameOf(environmentName: string): string {
  const dotted = environmentName.toLowerCase().replaceAll("_", ".");
  return !brokerConfigs.has(dotted) && brokerConfigs.has(`mantou.${dotted}`)
    ? `mantou.${dotted}`
    : dotted;
}

const fallbackOf = (name: string): string | null => brokerConfigs.get(name)?.fallback ?? null;

function typed(
  value: (name: string) => string | null,
  entries: ReadonlyMap<string, string>,
): BrokerConfig {
  const string = (name: string): string => value(name) ?? "";
  const integer = (name: string): number => integerOf(string(name));
  const flag = (name: string): boolean => isTrue(value(name));
  const addresses = (name: string): readonly ListenerAddress[] => {
    const parsed = parseListeners(string(name));
    return parsed.ok ? parsed.value : [];
  };
  return {
    entries,
    nodeId: integer("node.id"),
    rack: value("broker.rack"),
    listeners: addresses("listeners"),
    advertisedListeners: addresses("advertised.listeners"),
    logDir: listItems(string("log.dirs"))[0] ?? "",
    socketRequestMaxBytes: integer("socket.request.max.bytes"),
    connectionsMaxIdleMs: integer("connections.max.idle.ms"),
    maxConnections: integer("max.connections"),
    maxConnectionsPerIp: integer("max.connections.per.ip"),
    fetchSessionSlots: integer("max.incremental.fetch.session.cache.slots"),
    logRetentionCheckIntervalMs: integer("log.retention.check.interval.ms"),
    arenaBytes: integer("mantou.arena.bytes"),
    connectionQuotaBytes: integer("mantou.connection.quota.bytes"),
    outputQuotaBytes: integer("mantou.output.quota.bytes"),
    diskReserveBytes: integer("mantou.disk.reserve.bytes"),
    diskFreeMinBytes: integer("mantou.disk.free.min.bytes"),
    groupHoldMs: integer("mantou.group.hold.ms"),
    flushStrategy: string("mantou.flush.strategy") as BrokerConfig["flushStrategy"],
    filesOpenMax: integer("mantou.files.open.max"),
    adminListen: value("mantou.admin.listen"),
    metricsEnable: flag("mantou.metrics.enable"),
    metricsTopicsMax: integer("mantou.metrics.topics.max"),
    autoCreateTopicsEnable: flag("auto.create.topics.enable"),
    numPartitions: integer("num.partitions"),
    defaultReplicationFactor: integer("default.replication.factor"),
    deleteTopicEnable: flag("delete.topic.enable"),
    fetchMaxBytes: integer("fetch.max.bytes"),
    maxRequestPartitionSizeLimit: integer("max.request.partition.size.limit"),
    producerIdExpirationMs: integer("producer.id.expiration.ms"),
    partitionsPerTopicMax: integer("mantou.partitions.per.topic.max"),
    partitionsMax: integer("mantou.partitions.max"),
    producersPerPartitionMax: integer("mantou.producers.per.partition.max"),
    producersMax: integer("mantou.producers.max"),
    cleaner: cleanerSettings(string, integer, flag),
    groups: groupSettings(string),
    offsetsTopic: internalTopic("offsets.topic", integer),
    transactions: transactionSettings(integer, flag),
    transactionTopic: {
      ...internalTopic("transaction.state.log", integer),
      minInsyncReplicas: integer("transaction.state.log.min.isr"),
    },
  };
}

const internalTopic = (prefix: string, integer: (name: string) => number): InternalTopicConfig => ({
  partitions: integer(`${prefix}.num.partitions`),
  replicationFactor: integer(`${prefix}.replication.factor`),
  segmentBytes: integer(`${prefix}.segment.bytes`),
});

const MINUTE_MS = 60_000;

function groupSettings(string: (name: string) => string): GroupBrokerConfig {
  const group = (name: string): number => integerOf(string(`group.${name}`));
  const consumer = (name: string): number => group(`consumer.${name}`);
  const policy = string("group.consumer.migration.policy");
  return {
    sessionTimeoutMsMin: group("min.session.timeout.ms"),
    sessionTimeoutMsMax: group("max.session.timeout.ms"),
    initialRebalanceDelayMs: group("initial.rebalance.delay.ms"),
    classicMembersMax: group("max.size"),
    offsetMetadataBytesMax: integerOf(string("offset.metadata.max.bytes")),
    offsetsRetentionMs: integerOf(string("offsets.retention.minutes")) * MINUTE_MS,
    offsetsRetentionCheckIntervalMs: integerOf(string("offsets.retention.check.interval.ms")),
    consumer: {
      sessionTimeoutMs: consumer("session.timeout.ms"),
      sessionTimeoutMsMin: consumer("min.session.timeout.ms"),
      sessionTimeoutMsMax: consumer("max.session.timeout.ms"),
      heartbeatIntervalMs: consumer("heartbeat.interval.ms"),
      heartbeatIntervalMsMin: consumer("min.heartbeat.interval.ms"),
      heartbeatIntervalMsMax: consumer("max.heartbeat.interval.ms"),
      membersMax: consumer("max.size"),
      assignors: listItems(string("group.consumer.assignors")),
      assignmentIntervalMs: consumer("assignment.interval.ms"),
      migrationPolicy: policy as GroupBrokerConfig["consumer"]["migrationPolicy"],
    },
  };
}

/** What single settings of groups must be to each other. */
function groupFaults({ groups: { consumer, ...classic } }: BrokerConfig): string[] {
  const faults: string[] = [];
  const ordered = (low: number, high: number, lowName: string, highName: string): void => {
    if (low > high) faults.push(`${lowName}: ${low} is above ${highName}, ${high}`);
  };
  const { sessionTimeoutMsMin, sessionTimeoutMsMax } = classic;
  ordered(
    sessionTimeoutMsMin,
    sessionTimeoutMsMax,
    "group.min.session.timeout.ms",
    "group.max.session.timeout.ms",
  );
  const among = (name: string, value: number, low: number, high: number): void => {
    ordered(low, value, `group.consumer.min.${name}`, `group.consumer.${name}`);
    ordered(value, high, `group.consumer.${name}`, `group.consumer.max.${name}`);
  };
  among(
    "session.timeout.ms",
    consumer.sessionTimeoutMs,
    consumer.sessionTimeoutMsMin,
    consumer.sessionTimeoutMsMax,
  );
  among(
    "heartbeat.interval.ms",
    consumer.heartbeatIntervalMs,
    consumer.heartbeatIntervalMsMin,
    consumer.heartbeatIntervalMsMax,
  );
  if (consumer.heartbeatIntervalMs >= consumer.sessionTimeoutMs) {
    const session = consumer.sessionTimeoutMs;
    faults.push(
      `group.consumer.heartbeat.interval.ms: must be below group.consumer.session.timeout.ms, ${session}`,
    );
  }
  return faults;
}
