import type { Uuid } from "@mantou/base";

/** Limits and times of all groups of a broker. Kafka's settings unless said otherwise. */
export interface GroupSettings {
  /** group.min.session.timeout.ms and group.max.session.timeout.ms. */
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
  /** group.initial.rebalance.delay.ms: how long an empty group waits for more members. */
  readonly initialRebalanceDelayMs: number;
  /** group.max.size: members of a classic group. */
  readonly classicMembersMax: number;
  /** offset.metadata.max.bytes: of one committed offset. */
  readonly offsetMetadataBytesMax: number;
  /** offsets.retention.minutes, in milliseconds. */
  readonly offsetsRetentionMs: number;
  /** offsets.retention.check.interval.ms. */
  readonly offsetsRetentionCheckIntervalMs: number;
  /** group.consumer.*: what groups of the consumer protocol get. */
  readonly consumer: ConsumerSettings;
  /** Bounds that Kafka does not have. */
  readonly bounds: GroupBounds;
}

export interface ConsumerSettings {
  /** group.consumer.session.timeout.ms with its least and greatest value per group. */
  readonly sessionTimeoutMs: number;
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
  /** group.consumer.heartbeat.interval.ms with its least and greatest value per group. */
  readonly heartbeatIntervalMs: number;
  readonly heartbeatIntervalMsMin: number;
  readonly heartbeatIntervalMsMax: number;
  /** group.consumer.max.size. */
  readonly membersMax: number;
  /** group.consumer.assignors, the default first. */
  readonly assignors: readonly string[];
  /** group.consumer.assignment.interval.ms: the least time between two assignments of a group. */
  readonly assignmentIntervalMs: number;
  /** group.consumer.migration.policy. */
  readonly migrationPolicy: "disabled" | "upgrade" | "downgrade" | "bidirectional";
}

export interface GroupBounds {
  /** Groups of one shard; a new one more is answered with POLICY_VIOLATION. */
  readonly groupsMax: number;
  /** Members of a group that were given an id and have yet to come back with it. */
  readonly pendingMembersMax: number;
  /** What one member may say of its protocols: MESSAGE_TOO_LARGE otherwise. */
  readonly memberMetadataBytesMax: number;
  /** The same of all members of a group: GROUP_MAX_SIZE_REACHED otherwise. */
  readonly groupMetadataBytesMax: number;
  /** One record of the internal topic, key and value: its max.message.bytes less a margin. */
  readonly recordBytesMax: number;
  /** Offsets of one shard; a new one more is answered with POLICY_VIOLATION. */
  readonly offsetsMax: number;
}

export const DEFAULT_CONSUMER_SETTINGS: ConsumerSettings = {
  sessionTimeoutMs: 45_000,
  sessionTimeoutMsMin: 45_000,
  sessionTimeoutMsMax: 60_000,
  heartbeatIntervalMs: 5_000,
  heartbeatIntervalMsMin: 5_000,
  heartbeatIntervalMsMax: 15_000,
  membersMax: 0x7fff_ffff,
  assignors: ["uniform", "range"],
  assignmentIntervalMs: 0,
  migrationPolicy: "bidirectional",
};

export const DEFAULT_GROUP_BOUNDS: GroupBounds = {
  groupsMax: 20_000,
  pendingMembersMax: 10_000,
  memberMetadataBytesMax: 1_000_000,
  groupMetadataBytesMax: 16_000_000,
  recordBytesMax: 1_000_000,
  offsetsMax: 1_000_000,
};

export const DEFAULT_GROUP_SETTINGS: GroupSettings = {
  sessionTimeoutMsMin: 6_000,
  sessionTimeoutMsMax: 1_800_000,
  initialRebalanceDelayMs: 3_000,
  classicMembersMax: 0x7fff_ffff,
  offsetMetadataBytesMax: 4_096,
  offsetsRetentionMs: 10_080 * 60_000,
  offsetsRetentionCheckIntervalMs: 600_000,
  consumer: DEFAULT_CONSUMER_SETTINGS,
  bounds: DEFAULT_GROUP_BOUNDS,
};

/** The cluster's topics as they are now. */
export interface TopicsView {
  exists(name: string): boolean;
  idOf(name: string): Uuid | undefined;
  nameOf(topicId: Uuid): string | undefined;
  /** 0 where there is no such topic. */
  partitionCount(name: string): number;
  /** Racks of the partition's replicas, without doubles; empty where none is known. */
  racksOf(name: string, partition: number): readonly string[];
  /** All topics, internal ones too. */
  names(): Iterable<string>;
}

/** What a shard is given beside its commands. */
export interface GroupContext {
  /** Read anew at each use: the driver may replace it when an operator changes a setting. */
  readonly settings: GroupSettings;
  readonly topics: TopicsView;
  /** An operator's settings of one group (resource type GROUP), by Kafka's names. */
  readonly groupConfigs: (groupId: string) => ReadonlyMap<string, string> | undefined;
  /** A member id of a classic group: the prefix (client or instance id), `-`, a random uuid. */
  readonly newMemberId: (prefix: string) => string;
  /** The next of a supply of random ids. */
  readonly newUuid: () => Uuid;
}
