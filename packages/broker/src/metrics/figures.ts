import type { NetworkStats, StoreStats } from "@mantou/io";
import type { BrokerCounters } from "../counters.ts";
import type { HistogramView } from "./latency-histogram.ts";
import type { RequestMetrics } from "./request-metrics.ts";

/** What a broker is doing, as an operator asks for it. */
export type BrokerPhase = "starting" | "serving" | "draining";

export interface TopicFigures {
  readonly topic: string;
  readonly partitions: number;
  /** Offsets that were ever given out, over all partitions. */
  readonly records: number;
  readonly bytes: number;
}

/** Of all groups that this broker coordinates; what is counted, since their shards were loaded. */
export interface GroupFigures {
  readonly groups: number;
  readonly offsets: number;
  readonly rebalances: number;
  readonly commits: number;
  readonly expirations: number;
}

export interface CoordinatorFigures {
  readonly topic: string;
  /** Shards with state, and shards that are being read. */
  readonly active: number;
  readonly loading: number;
  /** Requests that are not answered yet. */
  readonly waiting: number;
  readonly timers: number;
  /** Batches that were written. */
  readonly batches: number;
  /** Commands by kind, timers among them. */
  readonly commands: ReadonlyMap<string, number>;
}

export interface TransactionFigures {
  /** Transactional ids by the name of their transaction's state. */
  readonly states: ReadonlyMap<string, number>;
  /** Milliseconds since the longest running transaction began; 0 without one. */
  readonly oldestMs: number;
  /** Decided, with markers that are not written yet. */
  readonly completing: number;
  /** Ended, with all of their markers. */
  readonly committed: number;
  readonly aborted: number;
}

export interface StartFigures {
  /** Milliseconds that each part of the last start took; null before it is over. */
  readonly storeMs: number | null;
  readonly metadataMs: number | null;
  readonly logsMs: number | null;
  readonly totalMs: number | null;
  /** Whether the stop before was clean, so that nothing had to be scanned. */
  readonly clean: boolean | null;
}

/** One look at a broker. */
export interface BrokerFigures {
  readonly phase: BrokerPhase;
  readonly acceptsAppends: boolean;
  /** Null where `mantou.metrics.enable` is false. */
  readonly requests: RequestMetrics | null;
  readonly counters: BrokerCounters;
  readonly network: NetworkStats;
  /** Null until the data directory is open. */
  readonly store: StoreStats | null;
  readonly parkedFetches: number;
  readonly waitingProduces: number;
  readonly fetchSessions: number;
  readonly partitions: {
    readonly open: number;
    readonly leading: number;
    readonly failed: number;
    readonly bytes: number;
  };
  /** As many as `mantou.metrics.topics.max` allows, and the rest as one. */
  readonly topics: readonly TopicFigures[];
  /** Coordinators by the internal topic that they write to. */
  readonly coordinators: readonly CoordinatorFigures[];
  readonly groups: GroupFigures;
  readonly transactions: TransactionFigures;
  readonly start: StartFigures;
}

/** One look at the process around it. */
export interface ProcessFigures {
  readonly version: string;
  readonly commit: string;
  readonly bun: string;
  readonly addon: string;
  readonly startedSeconds: number;
  readonly cpuSeconds: number;
  readonly residentBytes: number | null;
  readonly heapBytes: number;
  readonly openFiles: number | null;
  readonly openFilesMax: number | null;
  readonly threads: number | null;
  /** By how much a regular look at the clock was late: the loop was busy. */
  readonly loopLateness: HistogramView;
  readonly collections: number;
  readonly collectionStretch: HistogramView;
}

/** What the catalog's sources look at. */
export interface Figures {
  readonly broker: BrokerFigures;
  readonly process: ProcessFigures | null;
}
