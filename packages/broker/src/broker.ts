import type { Clock, LogId, Uuid } from "@mantou/base";
import { assert, logId as toLogId } from "@mantou/base";
import type { BrokerConfig, CatalogImage } from "@mantou/catalog";
import { resolveBrokerConfig } from "@mantou/catalog";
import type { Io, LogStore, StoreDescription } from "@mantou/io";
import { IoError } from "@mantou/io";
import { ErrorCode } from "@mantou/protocol";
import { PartitionTable, ProducerStates } from "@mantou/replication";
import type { Ambient } from "./ambient.ts";
import { advertisedApis } from "./apis.ts";
import { ClientHosts } from "./client-hosts.ts";
import { Coordination } from "./coordinators/coordination.ts";
import type { Coordinators } from "./coordinators/coordinators.ts";
import type { GroupCoordinator } from "./coordinators/group-coordinator.ts";
import type { CoordinatorTopic } from "./coordinators/internal-topics.ts";
import { BrokerCounters } from "./counters.ts";
import { Cleaner } from "./drivers/cleaner.ts";
import { ControllerDriver } from "./drivers/controller.ts";
import { claimDirectory, refuseLogsWithoutMetadata } from "./drivers/data-directory.ts";
import { LogFailures } from "./drivers/log-failures.ts";
import { MetadataDriver } from "./drivers/metadata.ts";
import { Partitions } from "./drivers/partitions.ts";
import { ProducerIds } from "./drivers/producer-ids.ts";
import { bindListeners, register } from "./drivers/registration.ts";
import type { BoundEndpoint } from "./drivers/registration.ts";
import { LogSideFiles } from "./drivers/log-side-files.ts";
import { Retention } from "./drivers/retention.ts";
import type { BrokerContext, Call, ControllerPort, ServedApi } from "./handler.ts";
import type { FetchStage } from "./handlers/fetch.ts";
import type { ProduceStage, Route } from "./handlers/produce.ts";
import type { BrokerFigures } from "./metrics/figures.ts";
import { BrokerWatch } from "./metrics/watch.ts";
import type { StageParts } from "./stages.ts";
import { assembleStages } from "./stages.ts";
import type { Tick } from "./tick.ts";
import type { MarkerWriter } from "./transactions/marker-writer.ts";
import type { TransactionCoordinator } from "./transactions/transaction-coordinator.ts";

/** The metadata log's id in this process; partitions count from the next one. */
const METADATA_LOG_ID = toLogId(0);
const FIRST_PARTITION_LOG_ID = 1;

/** How long a stop waits for requests that are in flight. */
const DRAIN_MS = 5_000;

/**
 * One broker: every machine, its driver, and the loop that feeds them. `start` opens the data
 * directory, brings the metadata up, recovers the logs and only then takes connections.
 */
export class Broker implements BrokerContext {
  readonly clock: Clock;
  readonly logs: LogStore;
  readonly counters = new BrokerCounters();
  readonly partitions: PartitionTable;
  readonly producers: ProducerStates;
  readonly nodeId: number;
  readonly servedApis: readonly ServedApi[] = advertisedApis;
  clusterId = "";
  directoryId = "";

  private readonly metadata: MetadataDriver;
  private readonly hosted: Partitions;
  private readonly files: LogSideFiles;
  private readonly retention: Retention;
  private readonly cleaner: Cleaner;
  private readonly producerIds: ProducerIds;
  private readonly failures: LogFailures;
  private readonly coordination: Coordination;
  private readonly clientHosts: ClientHosts;
  private readonly produce: ProduceStage;
  private readonly fetch: FetchStage;
  private readonly tick: Tick;
  private readonly watch: BrokerWatch;
  private controllerDriver: ControllerDriver | null = null;
  private bound: readonly BoundEndpoint[] = [];
  private brokerEpoch = -1;
  private resolvedRevision = -1;
  private resolved: BrokerConfig;

  /** @param started the settings given at start; dynamic ones are laid over them. */
  constructor(
    private readonly io: Io,
    private readonly started: BrokerConfig,
    private readonly ambient: Ambient,
  ) {
    this.clock = ambient.clock;
    this.logs = io.logs;
    this.nodeId = started.nodeId;
    this.resolved = started;
    this.partitions = new PartitionTable(started.nodeId);
    this.producers = new ProducerStates({
      producersPerPartitionMax: started.producersPerPartitionMax,
      producersMax: started.producersMax,
      producerIdExpirationMs: started.producerIdExpirationMs,
    });
    const { logs, partitions, producers } = this;
    this.metadata = new MetadataDriver({
      ambient,
      config: started,
      log: () => this.runningController(),
      follow: (records, removed) => {
        this.groups.follow(records, removed);
        return this.hosted.follow(records);
      },
    });
    this.files = new LogSideFiles({
      ambient,
      logs,
      partitions,
      producers,
      openLogIds: () => this.hosted.openLogIds(),
    });
    this.coordination = this.newCoordination();
    this.clientHosts = new ClientHosts(io.network);
    this.hosted = this.newPartitions();
    this.failures = new LogFailures({
      ambient,
      table: partitions,
      partitions: () => this.hosted,
      produce: () => this.produce,
      fetch: () => this.fetch,
      coordinators: this.coordinators,
    });
    this.producerIds = new ProducerIds(this.metadata, this.nodeId, () => this.brokerEpoch);
    this.retention = new Retention({
      ambient,
      logs,
      table: partitions,
      partitions: this.hosted,
      intervalMs: () => this.config.logRetentionCheckIntervalMs,
      startOffsetMoved: (logId) => this.startOffsetMoved(logId),
    });
    this.cleaner = this.newCleaner();
    this.watch = this.newWatch();
    const stages = assembleStages(this.stageParts());
    this.produce = stages.produce;
    this.fetch = stages.fetch;
    this.tick = stages.tick;
  }

  get image(): CatalogImage {
    return this.metadata.image;
  }

  get groups(): GroupCoordinator {
    return this.coordination.groups;
  }

  get transactions(): TransactionCoordinator {
    return this.coordination.transactions;
  }

  get markers(): MarkerWriter {
    return this.coordination.markers;
  }

  private get coordinators(): Coordinators {
    return this.coordination.coordinators;
  }

  get controller(): ControllerPort {
    return this.metadata;
  }

  /** The settings now: what was set while it runs over what it was started with. */
  get config(): BrokerConfig {
    if (this.resolvedRevision !== this.image.revision) {
      this.resolvedRevision = this.image.revision;
      this.resolved = resolveBrokerConfig(this.image, this.started);
    }
    return this.resolved;
  }

  get partitionCount(): number {
    return this.partitions.openCount;
  }

  /** Why clients are not served as they should be, or null. */
  get unreadiness(): string | null {
    return this.watch.unreadiness;
  }

  /** The longest tick since the last call, in milliseconds; 0 where requests are not measured. */
  takeLongestTickMs(): number {
    return this.watch.requests?.takeLongestTickMs() ?? 0;
  }

  /** What /metrics tells; every partition is looked at. */
  figures(): Promise<BrokerFigures> {
    return this.watch.figures();
  }

  /** Addresses as told to clients, one per listener. */
  endpoints(): readonly BoundEndpoint[] {
    return this.bound;
  }

  listenerName(listenerId: number): string {
    return this.started.listeners[listenerId]?.name ?? "";
  }

  logOf(topicId: Uuid, partition: number): LogId | -1 {
    return this.hosted.logOf(topicId, partition);
  }

  get acceptsAppends(): boolean {
    return this.failures.accepts;
  }

  clientHost({ connection, generation }: Pick<Call, "connection" | "generation">): string {
    return this.clientHosts.of(connection, generation);
  }

  ensureTopic(topic: CoordinatorTopic): Promise<boolean> {
    return this.coordination.internalTopics.ensure(topic);
  }

  nextProducerId(): Promise<number> {
    return this.producerIds.take();
  }

  startOffsetMoved(logId: LogId): void {
    if (this.partitions.isOpen(logId)) {
      this.producers.trim(logId, this.partitions.logStartOffset(logId));
    }
    this.fetch.watermarkMoved(logId);
    this.tick.flushSoon();
  }

  /** Resolves when clients are served. Rejects with IoError for a person to mend. */
  async start(): Promise<void> {
    this.watch.starting();
    this.tick.start();
    const store = await this.logs.open({
      dataDirectory: this.started.logDir,
      reserveBytes: this.started.diskReserveBytes,
      freeBytesMin: this.started.diskFreeMinBytes,
      groupHoldMs: this.started.groupHoldMs,
      flush: this.started.flushStrategy,
      filesOpenMax: this.started.filesOpenMax,
    });
    this.watch.opened(store.clean);
    this.directoryId = store.directoryId;
    this.clusterId = await claimDirectory(this.logs, store, this.started, this.ambient);
    await this.startController(store);
    this.watch.started("metadataMs");
    await this.hosted.openAll(store.logs);
    this.watch.started("logsMs");
    this.metadata.live = true;
    this.bound = bindListeners(this.io.network, this.started, this.ambient.hostName);
    await register(this.metadata, this.started, this.bound, this.ambient, (brokerEpoch) => {
      this.brokerEpoch = brokerEpoch;
    });
    this.retention.start();
    this.cleaner.start();
    this.files.start();
    this.tick.serve();
    this.watch.serving();
  }

  /** Stops accepting, finishes what is in flight, leaves the data directory clean. */
  async stop(): Promise<void> {
    this.watch.draining();
    this.retention.stop();
    this.cleaner.stop();
    this.io.network.stopAccepting();
    this.coordination.stop();
    await this.tick.drain(DRAIN_MS);
    this.failures.stop();
    await this.files.stop();
    await this.controllerDriver?.stop();
    this.tick.stop();
    await this.io.close();
  }

  private async startController(store: StoreDescription): Promise<void> {
    this.controllerDriver = new ControllerDriver({
      io: this.io,
      ambient: this.ambient,
      logId: METADATA_LOG_ID,
      nodeId: this.nodeId,
      directoryId: store.directoryId,
      clusterId: this.clusterId,
      machine: {
        apply: (_index, data) => this.metadata.applyEntry(data),
        snapshot: () => this.metadata.snapshot(),
        restore: (bytes) => this.metadata.restore(bytes),
      },
    });
    await this.controllerDriver.start();
    refuseLogsWithoutMetadata(this.image, store, this.started.logDir);
    const reply = await this.metadata.decide({
      kind: "initializeCluster",
      clusterId: this.clusterId,
    });
    if (reply.errorCode !== ErrorCode.NONE) {
      throw new IoError("FORMAT", `${this.started.logDir}: ${reply.errorMessage}`);
    }
  }

  private newCoordination(): Coordination {
    return new Coordination({
      io: this.io,
      ambient: this.ambient,
      clock: this.clock,
      partitions: this.partitions,
      producers: this.producers,
      controller: this.metadata,
      config: () => this.config,
      image: () => this.image,
      limitsOf: (logId) => this.hosted.configOf(logId),
      resolve: (topic, usesId, partition) => this.route(topic, usesId, partition),
      nextProducerId: () => this.nextProducerId(),
      flushSoon: () => this.tick.flushSoon(),
    });
  }

  private newCleaner(): Cleaner {
    return new Cleaner({
      ambient: this.ambient,
      logs: this.logs,
      table: this.partitions,
      producers: this.producers,
      partitions: this.hosted,
      counters: this.counters,
      config: () => this.config.cleaner,
    });
  }

  private newWatch(): BrokerWatch {
    return new BrokerWatch({
      io: this.io,
      clock: this.clock,
      timers: this.ambient.timers,
      config: this.started,
      counters: this.counters,
      partitions: this.partitions,
      hosted: () => this.hosted,
      failures: () => this.failures,
      produce: () => this.produce,
      fetch: () => this.fetch,
      coordination: () => this.coordination,
    });
  }

  private newPartitions(): Partitions {
    return new Partitions(
      {
        logs: this.logs,
        partitions: this.partitions,
        files: this.files,
        ambient: this.ambient,
        config: () => this.config,
        image: () => this.image,
        gone: (logId) => this.logGone(logId),
        leadershipMoved: (topic, partition, logId) =>
          this.coordinators.leadershipMoved(topic, partition, logId),
        openLater: (logId) => this.failures.openLater(logId),
      },
      FIRST_PARTITION_LOG_ID,
    );
  }

  private stageParts(): StageParts {
    return {
      io: this.io,
      context: this,
      ambient: this.ambient,
      counters: this.counters,
      metrics: this.watch.requests,
      failures: this.failures,
      coordinators: this.coordinators,
      transactions: () => this.transactions,
      flushSoon: () => this.tick.flushSoon(),
      fetchSessionSlots: this.started.fetchSessionSlots,
      configOf: (logId) => this.hosted.configOf(logId),
      resolve: (topic, usesId, partition) => this.route(topic, usesId, partition),
      epochsMoved: (logIds) => this.files.epochsMoved(logIds),
      metadata: {
        logId: METADATA_LOG_ID,
        durable: (end) => this.controllerDriver?.onDurable(end),
        failed: (code) => this.controllerDriver?.onLogFailed(code),
      },
    };
  }

  private runningController(): ControllerDriver {
    assert(this.controllerDriver !== null, "a metadata command before the controller runs");
    return this.controllerDriver;
  }

  /** A partition has left this broker: whoever waits for it is told. */
  private logGone(logId: LogId): void {
    this.produce.failed(logId, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    this.fetch.watermarkMoved(logId);
    this.coordinators.logGone(logId);
    this.tick.flushSoon();
  }

  /** The log of a partition by topic name or id, or the protocol's error. */
  private route(topic: string, usesId: boolean, partition: number): Route {
    const { image } = this;
    const found = usesId ? image.topicById(topic as Uuid) : image.topicByName(topic);
    if (found === undefined) {
      return {
        errorCode: usesId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      };
    }
    if (partition < 0 || partition >= found.partitionCount) {
      return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
    }
    const logId = this.hosted.logOf(found.topicId, partition);
    if (logId === -1 || !this.partitions.isLeader(logId)) {
      return { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER };
    }
    return { logId };
  }
}
