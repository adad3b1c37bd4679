import type { BrokerConfig, CatalogImage, MetadataRecord } from "@mantou/catalog";
import { ConfigResource } from "@mantou/catalog";
import type {
  Answered,
  GroupCommand,
  GroupContext,
  GroupReply,
  GroupRequest,
  GroupSettings,
  ReplyTo,
} from "@mantou/groups";
import { DEFAULT_GROUP_BOUNDS, GroupShard } from "@mantou/groups";
import { ErrorCode } from "@mantou/protocol";
import type { Ambient } from "../ambient.ts";
import type { RemovedTopic } from "../drivers/metadata.ts";
import { newUuid } from "../drivers/metadata.ts";
import type { GroupFigures } from "../metrics/figures.ts";
import type { CoordinatorDriver } from "./coordinator-driver.ts";
import type { Coordinators } from "./coordinators.ts";
import { CONSUMER_OFFSETS } from "./internal-topics.ts";
import { coordinatorPartition } from "./placement.ts";
import { ImageTopics } from "./topics-view.ts";

export interface GroupCoordinatorParts {
  readonly ambient: Ambient;
  readonly coordinators: Coordinators;
  readonly config: () => BrokerConfig;
  readonly image: () => CatalogImage;
}

/** A command to which somebody waits for an answer. */
export type GroupQuestion = Extract<GroupCommand, { readonly kind: Answered }>;

/** The answer to a question: the reply of its kind, or the error that stands in for it. */
export type GroupSettle<C extends GroupQuestion> = (
  errorCode: ErrorCode,
  reply: ReplyTo<C> | null,
) => void;

/** Groups and their offsets: who coordinates which group, and what moves the shards. */
export class GroupCoordinator {
  readonly driver: CoordinatorDriver<GroupCommand, GroupReply, GroupRequest>;
  private readonly context: GroupContext;
  private settingsOf: BrokerConfig | null = null;
  private settings: GroupSettings | null = null;

  constructor(private readonly parts: GroupCoordinatorParts) {
    this.context = this.newContext();
    this.driver = parts.coordinators.add<GroupCommand, GroupReply, GroupRequest>({
      topic: CONSUMER_OFFSETS,
      newShard: () => new GroupShard(this.context),
      request: () => {},
    });
  }

  /** The partition that coordinates a group; -1 while the topic does not exist. */
  partitionOf(groupId: string): number {
    const topic = this.parts.image().topicByName(CONSUMER_OFFSETS);
    return topic === undefined ? -1 : coordinatorPartition(groupId, topic.partitionCount);
  }

  /** Asks the group's shard; `settle` is called once, now or in a later tick. */
  ask<C extends GroupQuestion>(groupId: string, command: C, settle: GroupSettle<C>): void {
    this.askPartition(this.partitionOf(groupId), command, settle);
  }

  askPartition<C extends GroupQuestion>(
    partition: number,
    command: C,
    settle: GroupSettle<C>,
  ): void {
    if (partition < 0) settle(ErrorCode.NOT_COORDINATOR, null);
    // A reply has the kind of its command: that is the machine's contract.
    else this.driver.ask(partition, command, settle as GroupSettle<GroupQuestion>);
  }

  activePartitions(): readonly number[] | null {
    return this.driver.figures().loading > 0 ? null : this.driver.activePartitions();
  }

  figures(): GroupFigures {
    let [groups, offsets, rebalances, commits, expirations] = [0, 0, 0, 0, 0];
    for (const each of this.driver.shards()) {
      const shard = each as GroupShard;
      groups += shard.groupCount;
      offsets += shard.offsetCount;
      rebalances += shard.counts.rebalances;
      commits += shard.counts.commits;
      expirations += shard.counts.expirations;
    }
    return { groups, offsets, rebalances, commits, expirations };
  }

  /** Follows metadata that was applied; `removed` are the topics that it took away. */
  follow(records: readonly MetadataRecord[], removed: readonly RemovedTopic[]): void {
    if (removed.length > 0) this.driver.tellAll({ kind: "topicsDeleted", topics: removed });
    const names = new Set<string>();
    for (const record of records) {
      if (record.kind !== "partitions") continue;
      const topic = this.parts.image().topicById(record.topicId);
      if (topic !== undefined) names.add(topic.name);
    }
    for (const { name } of removed) names.add(name);
    if (names.size > 0) this.driver.tellAll({ kind: "topicsChanged", names: [...names] });
  }

  private newContext(): GroupContext {
    const { ambient, image } = this.parts;
    const settings = (): GroupSettings => this.currentSettings();
    return {
      get settings() {
        return settings();
      },
      topics: new ImageTopics(image),
      groupConfigs: (groupId) => image().settings.get(ConfigResource.GROUP)?.get(groupId),
      newMemberId: (prefix) => `${prefix}-${dashed(ambient.randomBytes(16))}`,
      newUuid: () => newUuid(ambient),
    };
  }

  private currentSettings(): GroupSettings {
    const config = this.parts.config();
    if (this.settings === null || this.settingsOf !== config) {
      this.settingsOf = config;
      this.settings = { ...config.groups, bounds: DEFAULT_GROUP_BOUNDS };
    }
    return this.settings;
  }
}

/** A random UUID (RFC 9562, version 4) in its usual form, as Kafka ends member ids. */
function dashed(bytes: Uint8Array): string {
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join("-");
}
