import type { LogId, Uuid } from "@mantou/base";
import { logId as toLogId } from "@mantou/base";
import type {
  BrokerConfig,
  CatalogImage,
  MetadataRecord,
  TopicConfig,
  TopicImage,
} from "@mantou/catalog";
import { METADATA_TOPIC, logConfigOf, resolveTopicConfig } from "@mantou/catalog";
import type { LogSpec, LogState, LogStore, StoredLog } from "@mantou/io";
import { IoError } from "@mantou/io";
import type { Membership, PartitionTable } from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { LogSideFiles } from "./log-side-files.ts";

/** Logs opened by one call: bounds what one completion has to carry. */
const OPEN_BATCH = 512;

export interface PartitionsParts {
  readonly logs: LogStore;
  readonly partitions: PartitionTable;
  readonly files: LogSideFiles;
  readonly ambient: Ambient;
  /** The broker's settings now. */
  readonly config: () => BrokerConfig;
  readonly image: () => CatalogImage;
  /** The log can no longer be read or written here; whoever waits must be told. */
  readonly gone: (logId: LogId) => void;
}

/** A partition hosted here, by its log id. */
interface Hosted {
  readonly topicId: Uuid;
  readonly topic: string;
  readonly partition: number;
  config: TopicConfig;
}

/** Keeps the logs of this broker in step with the catalog: opens, configures, removes. */
export class Partitions {
  private readonly hosted: (Hosted | undefined)[] = [];
  private readonly logIds = new Map<Uuid, Int32Array>();
  private nextLogId: number;

  /** @param firstLogId log ids below it are taken (the metadata log). */
  constructor(
    private readonly parts: PartitionsParts,
    firstLogId: number,
  ) {
    this.nextLogId = firstLogId;
  }

  get count(): number {
    return this.parts.partitions.openCount;
  }

  /** Ids of all logs that are open now. */
  openLogIds(): LogId[] {
    const open: LogId[] = [];
    for (let id = 0; id < this.hosted.length; id += 1) {
      if (this.hosted[id] !== undefined && this.parts.partitions.isOpen(toLogId(id))) {
        open.push(toLogId(id));
      }
    }
    return open;
  }

  logOf(topicId: Uuid, partition: number): LogId | -1 {
    const ids = this.logIds.get(topicId);
    const id = ids === undefined ? -1 : (ids[partition] ?? -1);
    return id >= 0 && this.parts.partitions.isOpen(toLogId(id)) ? toLogId(id) : -1;
  }

  configOf(logId: LogId): TopicConfig {
    return (this.hosted[logId] as Hosted).config;
  }

  describe(logId: LogId): Hosted | undefined {
    return this.hosted[logId];
  }

  /** Opens every log that the image places here. After a crash this is the recovery. */
  async openAll(stored: readonly StoredLog[]): Promise<void> {
    await this.removeStrays(stored);
    const specs: LogSpec[] = [];
    for (const topic of this.parts.image().topicsByName.values()) {
      this.assign(topic.topicId, specs);
    }
    await this.open(specs);
  }

  /** Follows records that have just been applied to the image. */
  async follow(records: readonly MetadataRecord[]): Promise<void> {
    const specs: LogSpec[] = [];
    for (const record of records) {
      switch (record.kind) {
        case "partitions":
          this.assign(record.topicId, specs);
          break;
        case "removeTopic":
          this.remove(record.topicId);
          break;
        case "partitionChange":
          this.refreshLeadership(record.topicId);
          break;
        case "config":
          this.refreshConfigs();
          break;
        default:
          break;
      }
    }
    await this.open(specs);
  }

  /** Re-opens a log that a failed write has taken offline: recovery decides what is left. */
  async reopen(logId: LogId): Promise<void> {
    const hosted = this.hosted[logId];
    if (hosted === undefined) return;
    await this.open([this.spec(logId, hosted)]);
  }

  /**
   * Removes logs of topics that are no more: the process died between the deletion's commit and
   * the removal of its files. A topic id is never used again, so nothing else can own them.
   */
  private async removeStrays(stored: readonly StoredLog[]): Promise<void> {
    const { ambient, image, logs } = this.parts;
    for (const { topic, topicId, partition } of stored) {
      if (topic === METADATA_TOPIC || image().topicById(topicId) !== undefined) continue;
      const logId = toLogId(this.nextLogId++);
      const config = resolveTopicConfig(image(), this.parts.config(), topic);
      ambient.logger.info("stray_log_removed", { topic, topicId, partition });
      await logs.openLogs([{ logId, topic, topicId, partition, config: logConfigOf(config) }]);
      await logs.remove(logId);
    }
  }

  private assign(topicId: Uuid, specs: LogSpec[]): void {
    const topic = this.parts.image().topicById(topicId);
    if (topic === undefined) return;
    const before = this.logIds.get(topicId);
    const ids = new Int32Array(topic.partitionCount).fill(-1);
    if (before !== undefined) ids.set(before);
    this.logIds.set(topicId, ids);
    const config = resolveTopicConfig(this.parts.image(), this.parts.config(), topic.name);
    for (let partition = 0; partition < ids.length; partition += 1) {
      if ((ids[partition] as number) >= 0) continue;
      if (!topic.isReplica(partition, this.parts.config().nodeId)) continue;
      const id = toLogId(this.nextLogId++);
      ids[partition] = id;
      const hosted = { topicId, topic: topic.name, partition, config };
      this.hosted[id] = hosted;
      specs.push(this.spec(id, hosted));
    }
  }

  private spec(logId: LogId, hosted: Hosted): LogSpec {
    const { topic, topicId, partition, config } = hosted;
    return { logId, topic, topicId, partition, config: logConfigOf(config) };
  }

  private async open(specs: readonly LogSpec[]): Promise<void> {
    for (let from = 0; from < specs.length; from += OPEN_BATCH) {
      const states = await this.parts.logs.openLogs(specs.slice(from, from + OPEN_BATCH));
      for (const state of states) await this.opened(state);
    }
  }

  private async opened(state: LogState): Promise<void> {
    const { logId } = state;
    const hosted = this.hosted[logId];
    if (hosted === undefined) return;
    const { logger } = this.parts.ambient;
    const where = { topic: hosted.topic, partition: hosted.partition };
    if (state.cutBytes > 0) logger.warn("torn_tail_cut", { ...where, bytes: state.cutBytes });
    if (state.corruptFromOffset !== null) {
      logger.error("log_corrupt", {
        ...where,
        fromOffset: state.corruptFromOffset,
        why: "stored bytes fail their checksum; the range is not served",
        todo: "restore the partition from a copy, or delete and re-create the topic",
      });
    }
    const epochs = state.endOffset > 0 ? await this.parts.files.load(logId, state) : [];
    // The topic may have been deleted while its producer state was read.
    const topic = this.parts.image().topicById(hosted.topicId);
    if (topic === undefined || this.hosted[logId] === undefined) return;
    this.parts.partitions.opened(logId, {
      leader: topic.leaderOf(hosted.partition) === this.parts.config().nodeId,
      leaderEpoch: topic.leaderEpochOf(hosted.partition),
      startOffset: state.startOffset,
      endOffset: state.endOffset,
      corruptFromOffset: state.corruptFromOffset,
      membership: membershipOf(topic, hosted.partition),
      epochs,
    });
  }

  private remove(topicId: Uuid): void {
    const ids = this.logIds.get(topicId);
    this.logIds.delete(topicId);
    for (const id of ids ?? []) {
      if (id < 0) continue;
      const logId = toLogId(id);
      const hosted = this.hosted[id];
      this.parts.partitions.closed(logId);
      this.parts.files.forget(logId);
      this.hosted[id] = undefined;
      this.parts.gone(logId);
      this.parts.logs.remove(logId).catch((error: unknown) => {
        if (error instanceof IoError && error.code === "CLOSED") return;
        this.parts.ambient.logger.error("log_remove_failed", {
          topic: hosted?.topic,
          partition: hosted?.partition,
          reason: String(error),
        });
      });
    }
  }

  private refreshLeadership(topicId: Uuid): void {
    const topic = this.parts.image().topicById(topicId);
    const ids = this.logIds.get(topicId);
    if (topic === undefined || ids === undefined) return;
    for (let partition = 0; partition < ids.length; partition += 1) {
      const id = ids[partition] as number;
      if (id < 0 || !this.parts.partitions.isOpen(toLogId(id))) continue;
      this.parts.partitions.leadership(
        toLogId(id),
        topic.leaderOf(partition) === this.parts.config().nodeId,
        topic.leaderEpochOf(partition),
        membershipOf(topic, partition),
      );
    }
  }

  private refreshConfigs(): void {
    const resolved = new Map<string, TopicConfig>();
    for (let id = 0; id < this.hosted.length; id += 1) {
      const hosted = this.hosted[id];
      if (hosted === undefined) continue;
      let config = resolved.get(hosted.topic);
      if (config === undefined) {
        config = resolveTopicConfig(this.parts.image(), this.parts.config(), hosted.topic);
        resolved.set(hosted.topic, config);
      }
      hosted.config = config;
      this.parts.logs.configure(toLogId(id), logConfigOf(config));
    }
  }
}

const membershipOf = (topic: TopicImage, partition: number): Membership => ({
  replicas: topic.replicasOf(partition),
  isr: topic.isrOf(partition),
  partitionEpoch: topic.partitionEpochOf(partition),
});
