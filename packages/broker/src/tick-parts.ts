import type { LogId } from "@mantou/base";
import type { Io } from "@mantou/io";
import type { PartitionTable } from "@mantou/replication";
import type { Ambient } from "./ambient.ts";
import type { Connections } from "./connections.ts";
import type { Coordinators } from "./coordinators/coordinators.ts";
import type { Dispatch } from "./dispatch.ts";
import type { LogFailures } from "./drivers/log-failures.ts";
import type { FetchStage } from "./handlers/fetch.ts";
import type { ProduceStage } from "./handlers/produce.ts";
import type { RequestMetrics } from "./metrics/request-metrics.ts";
import type { PlanWriter } from "./plan-writer.ts";

/** The log that is not a partition: its events go to the controller. */
export interface MetadataLogEvents {
  readonly logId: LogId;
  readonly durable: (endOffset: number) => void;
  readonly failed: (code: number) => void;
}

/** Whom a tick hands its events to. */
export interface TickParts {
  readonly io: Io;
  readonly ambient: Ambient;
  readonly connections: Connections;
  readonly dispatch: Dispatch;
  readonly produce: ProduceStage;
  readonly fetch: FetchStage;
  readonly coordinators: Coordinators;
  readonly partitions: PartitionTable;
  readonly failures: LogFailures;
  readonly plan: PlanWriter;
  readonly metrics: RequestMetrics | null;
  /** Leader epochs of these logs have changed and want to be written down. */
  readonly epochsMoved: (logIds: readonly LogId[]) => void;
  readonly metadata: MetadataLogEvents;
  /** The earliest parked fetch, in monotonic milliseconds. */
  readonly nextFetchDeadlineMs: () => number;
}
