import type { Clock, LogId } from "@mantou/base";
import type { BrokerConfig } from "@mantou/catalog";
import type { Io } from "@mantou/io";
import type { PartitionTable } from "@mantou/replication";
import type { Coordination } from "../coordinators/coordination.ts";
import type { Timers } from "../ambient.ts";
import type { BrokerCounters } from "../counters.ts";
import type { LogFailures } from "../drivers/log-failures.ts";
import type { Partitions } from "../drivers/partitions.ts";
import type { FetchStage } from "../handlers/fetch.ts";
import type { ProduceStage } from "../handlers/produce.ts";
import type { BrokerFigures, BrokerPhase, StartFigures } from "./figures.ts";
import { lookAtPartitions } from "./look.ts";
import { RequestMetrics } from "./request-metrics.ts";

/** What a watch looks at, when it is asked. */
export interface WatchParts {
  readonly io: Io;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly config: BrokerConfig;
  readonly counters: BrokerCounters;
  readonly partitions: PartitionTable;
  readonly hosted: () => Partitions;
  readonly failures: () => LogFailures;
  readonly produce: () => ProduceStage;
  readonly fetch: () => FetchStage;
  readonly coordination: () => Coordination;
}

type StartPart = "storeMs" | "metadataMs" | "logsMs";

/** Where a broker is in its life, and its figures for those who ask. */
export class BrokerWatch {
  readonly requests: RequestMetrics | null;
  private phase: BrokerPhase = "starting";
  private startedMs = 0;
  private partMs = 0;
  private start: { -readonly [K in keyof StartFigures]: StartFigures[K] } = {
    storeMs: null,
    metadataMs: null,
    logsMs: null,
    totalMs: null,
    clean: null,
  };

  constructor(private readonly parts: WatchParts) {
    this.requests = parts.config.metricsEnable ? new RequestMetrics() : null;
  }

  starting(): void {
    this.startedMs = this.parts.clock.monotonicMs();
    this.partMs = this.startedMs;
  }

  /** A part of the start is over. */
  started(part: StartPart): void {
    const nowMs = this.parts.clock.monotonicMs();
    this.start[part] = nowMs - this.partMs;
    this.partMs = nowMs;
  }

  /** The data directory is open. */
  opened(clean: boolean): void {
    this.start.clean = clean;
    this.started("storeMs");
  }

  serving(): void {
    this.phase = "serving";
    this.start.totalMs = this.parts.clock.monotonicMs() - this.startedMs;
  }

  draining(): void {
    this.phase = "draining";
  }

  /** Why clients are not served as they should be, or null. */
  get unreadiness(): string | null {
    if (this.phase === "starting") return "starting: logs and metadata are being opened";
    if (this.phase === "draining") return "draining: the broker is stopping";
    if (this.parts.failures().accepts) return null;
    return "the data directory refuses records: its volume is full";
  }

  async figures(): Promise<BrokerFigures> {
    const { config, counters, io, partitions } = this.parts;
    const hosted = this.parts.hosted();
    const seen = await lookAtPartitions({
      partitions,
      logs: io.logs,
      openLogIds: () => hosted.openLogIds(),
      topicOf: (logId: LogId) => hosted.describe(logId)?.topic ?? "",
      topicsMax: config.metricsTopicsMax,
      pause: () => new Promise((resolve) => void this.parts.timers.after(0, resolve)),
    });
    return {
      phase: this.phase,
      acceptsAppends: this.parts.failures().accepts,
      requests: this.requests,
      counters,
      network: io.network.stats(),
      store: this.start.clean === null ? null : io.logs.stats(),
      parkedFetches: this.parts.fetch().parked,
      waitingProduces: this.parts.produce().waiting,
      fetchSessions: this.parts.fetch().sessions,
      ...seen,
      ...this.parts.coordination().figures(),
      start: { ...this.start },
    };
  }
}
