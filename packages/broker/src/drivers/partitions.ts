import type { LogId, Uuid } from "@mantou/base";
import { Prng, logId as toLogId } from "@mantou/base";
import type { BrokerConfig, CatalogImage, MetadataRecord, TopicConfig } from "@mantou/catalog";
import { ConfigResource, logConfigOf, resolveTopicConfig } from "@mantou/catalog";
import type { LogConfig, LogSpec, LogState, LogStore, StoredLog } from "@mantou/io";
import { IoError } from "@mantou/io";
import type { PartitionTable } from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { LogSideFiles } from "./log-side-files.ts";
import { membershipOf } from "./membership.ts";
import { removeStrays } from "./stray-logs.ts";

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
  /** The log was opened, or what this node is to the partition may have changed. */
  readonly leadershipMoved: (topic: string, partition: number, logId: LogId) => void;
  /** The log could not be opened while the broker runs: it is to be tried again. */
  readonly openLater: (logId: LogId) => void;
}

/** A partition hosted here, by its log id. */
interface Hosted {
  readonly topicId: Uuid;
  readonly topic: string;
  readonly partition: number;
  /** Of `segment.jitter.ms`, the share that this log's segments end early: [0, 1). */
  readonly jitter: number;
  config: TopicConfig;
  /** The store has opened the log, but what lies beside it was not read yet. */
  recovered: LogState | null;
}

/** Keeps the logs of this broker in step with the catalog: opens, configures, removes. */
export class Partitions {
  private readonly hosted: (Hosted | undefined)[] = [];
  private readonly logIds = new Map<Uuid, Int32Array>();
  private readonly prng: Prng;
  private nextLogId: number;

  /** @param firstLogId log ids below it are taken (the metadata log). */
  constructor(
    private readonly parts: PartitionsParts,
    firstLogId: number,
  ) {
    this.nextLogId = firstLogId;
    const seed = parts.ambient.randomBytes(4);
    this.prng = new Prng(new DataView(seed.buffer, seed.byteOffset).getUint32(0));
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
    await removeStrays(this.parts, stored, () => toLogId(this.nextLogId++));
    const specs: LogSpec[] = [];
    for (const topic of this.parts.image().topicsByName.values()) {
      this.assign(topic.topicId, specs);
    }
    await this.open(specs);
  }

  /** Follows records that have just been applied to the image. */
  async follow(records: readonly MetadataRecord[]): Promise<void> {
    const specs: LogSpec[] = [];
    const configured = new Set<string>();
    let brokerConfigured = false;
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
          if (record.resourceType === ConfigResource.TOPIC) configured.add(record.resourceName);
          else brokerConfigured = true;
          break;
        default:
          break;
      }
    }
    // Once for all settings of an entry: each look goes through every log that it concerns.
    if (brokerConfigured) this.refreshAllConfigs();
    else for (const topic of configured) this.refreshConfigs(topic);
    await this.openLive(specs);
  }

  /**
   * Opens a log again that a failed write has taken offline, or that could not be opened before:
   * recovery decides what is left. False: its topic is gone.
   */
  async reopen(logId: LogId): Promise<boolean> {
    const hosted = this.hosted[logId];
    if (hosted === undefined) return false;
    if (hosted.recovered === null) await this.open([this.spec(logId, hosted)]);
    else await this.opened(hosted.recovered);
    return this.hosted[logId] !== undefined;
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
      const jitter = this.prng.u32() / 2 ** 32;
      const hosted = { topicId, topic: topic.name, partition, jitter, config, recovered: null };
      this.hosted[id] = hosted;
      specs.push(this.spec(id, hosted));
    }
  }

  private spec(logId: LogId, hosted: Hosted): LogSpec {
    const { topic, topicId, partition } = hosted;
    return { logId, topic, topicId, partition, config: this.logConfig(hosted) };
  }

  /** What the engine is told. The jitter is drawn here, since the engine decides nothing. */
  private logConfig({ config, jitter }: Hosted): LogConfig {
    const { segmentJitterMs, segmentMs } = config;
    const drawnMs = Math.floor(jitter * Math.min(segmentJitterMs, segmentMs));
    return { ...logConfigOf(config), segmentJitterMs: drawnMs };
  }

  private async open(specs: readonly LogSpec[]): Promise<void> {
    for (let from = 0; from < specs.length; from += OPEN_BATCH) {
      await this.openBatch(specs.slice(from, from + OPEN_BATCH));
    }
  }

  private async openBatch(specs: readonly LogSpec[]): Promise<void> {
    const states = await this.parts.logs.openLogs(specs);
    for (const state of states) {
      const hosted = this.hosted[state.logId];
      if (hosted !== undefined) hosted.recovered = state;
    }
    for (const state of states) await this.opened(state);
  }

  /**
   * Opens while the broker runs. What they belong to is committed, so a disk that says no now is
   * asked again until it takes them; meanwhile clients are told to come back.
   */
  private async openLive(specs: readonly LogSpec[]): Promise<void> {
    for (let from = 0; from < specs.length; from += OPEN_BATCH) {
      const batch = specs.slice(from, from + OPEN_BATCH);
      try {
        await this.openBatch(batch);
      } catch (error) {
        if (!(error instanceof IoError)) throw error;
        const { logger } = this.parts.ambient;
        logger.error("logs_open_failed", { logs: batch.length, reason: error.message });
        for (const { logId } of batch) {
          if (!this.parts.partitions.isOpen(logId)) this.parts.openLater(logId);
        }
      }
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
    // Nothing is replayed of an empty log, and what a failed write left behind has to go.
    if (state.endOffset === 0) this.parts.files.forget(logId);
    const epochs = state.endOffset > 0 ? await this.parts.files.load(logId, state) : [];
    // The topic may have been deleted while its producer state was read.
    const topic = this.parts.image().topicById(hosted.topicId);
    if (topic === undefined || this.hosted[logId] === undefined) return;
    hosted.recovered = null;
    this.parts.partitions.opened(logId, {
      leader: topic.leaderOf(hosted.partition) === this.parts.config().nodeId,
      leaderEpoch: topic.leaderEpochOf(hosted.partition),
      startOffset: state.startOffset,
      endOffset: state.endOffset,
      corruptFromOffset: state.corruptFromOffset,
      membership: membershipOf(topic, hosted.partition),
      epochs,
    });
    this.parts.leadershipMoved(hosted.topic, hosted.partition, logId);
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
      this.parts.leadershipMoved(topic.name, partition, toLogId(id));
    }
  }

  private refreshAllConfigs(): void {
    for (const topic of this.parts.image().topicsByName.keys()) this.refreshConfigs(topic);
  }

  private refreshConfigs(topic: string): void {
    const image = this.parts.image();
    const found = image.topicByName(topic);
    const ids = found === undefined ? undefined : this.logIds.get(found.topicId);
    if (ids === undefined) return;
    const config = resolveTopicConfig(image, this.parts.config(), topic);
    for (const id of ids) {
      const hosted = id < 0 ? undefined : this.hosted[id];
      if (hosted === undefined) continue;
      hosted.config = config;
      this.parts.logs.configure(toLogId(id), this.logConfig(hosted));
    }
  }
}
