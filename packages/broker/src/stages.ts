import type { LogId } from "@mantou/base";
import type { TopicConfig } from "@mantou/catalog";
import type { Io } from "@mantou/io";
import { fetchApi, produceApi } from "@mantou/protocol";
import type { Ambient } from "./ambient.ts";
import { Answers } from "./answers.ts";
import { Connections } from "./connections.ts";
import type { Coordinators } from "./coordinators/coordinators.ts";
import type { BrokerCounters } from "./counters.ts";
import { Dispatch } from "./dispatch.ts";
import type { LogFailures } from "./drivers/log-failures.ts";
import { FetchPlanner } from "./fetch/fetch-planner.ts";
import { FetchSessions } from "./fetch/fetch-sessions.ts";
import { ParkingLot } from "./fetch/parking-lot.ts";
import type { BrokerContext } from "./handler.ts";
import { FetchStage } from "./handlers/fetch.ts";
import type { Route } from "./handlers/produce.ts";
import { ProduceStage } from "./handlers/produce.ts";
import { PlanWriter } from "./plan-writer.ts";
import type { RequestMetrics } from "./metrics/request-metrics.ts";
import { Admission } from "./produce/admission.ts";
import { Waiters } from "./produce/waiters.ts";
import { Tick } from "./tick.ts";
import type { TransactionCoordinator } from "./transactions/transaction-coordinator.ts";
import { TransactionGate } from "./transactions/transaction-gate.ts";
import type { MetadataLogEvents } from "./tick-parts.ts";

export interface StageParts {
  readonly io: Io;
  readonly context: BrokerContext;
  readonly ambient: Ambient;
  readonly counters: BrokerCounters;
  readonly metrics: RequestMetrics | null;
  readonly failures: LogFailures;
  readonly coordinators: Coordinators;
  readonly transactions: () => TransactionCoordinator;
  readonly flushSoon: () => void;
  readonly fetchSessionSlots: number;
  readonly configOf: (logId: LogId) => TopicConfig;
  readonly resolve: (topic: string, usesId: boolean, partition: number) => Route;
  readonly epochsMoved: (logIds: readonly LogId[]) => void;
  readonly metadata: MetadataLogEvents;
}

export interface Stages {
  readonly produce: ProduceStage;
  readonly fetch: FetchStage;
  readonly tick: Tick;
}

/** Puts the stages of a request together: who hands what to whom. */
export function assembleStages(parts: StageParts): Stages {
  const { ambient, context, failures, io, resolve } = parts;
  const { clock, partitions, producers } = context;
  const plan = new PlanWriter(io.network);
  const answers = new Answers(plan, ambient, parts.metrics);
  const lot = new ParkingLot();
  const produce = produceStage(parts, plan, answers);
  const connections = new Connections();
  const seedBytes = ambient.randomBytes(4);
  const seed = new DataView(seedBytes.buffer, seedBytes.byteOffset).getUint32(0);
  const fetch = new FetchStage({
    partitions,
    producers,
    sessions: new FetchSessions(lot, seed, parts.fetchSessionSlots),
    planner: new FetchPlanner(partitions, producers, io.logs, resolve, lot, plan),
    lot,
    writer: plan,
    clock,
    bytesMax: () => context.config.fetchMaxBytes,
    answer: (call, response) => answers.send(call, fetchApi, response),
    isConnected: ({ connection, generation }) =>
      connections.get(connection, generation) !== undefined,
  });
  const dispatch = new Dispatch({
    context,
    arena: io.arena,
    answers,
    produce,
    fetch,
    ambient,
    counters: parts.counters,
    metrics: parts.metrics,
    release: (frameOffset) => plan.release(frameOffset),
    flushSoon: () => tick.flushSoon(),
  });
  const tick = new Tick({
    io,
    ambient,
    connections,
    dispatch,
    produce,
    fetch,
    coordinators: parts.coordinators,
    partitions,
    failures,
    plan,
    epochsMoved: parts.epochsMoved,
    metadata: parts.metadata,
    metrics: parts.metrics,
    nextFetchDeadlineMs: () => lot.nextDeadlineMs,
  });
  return { produce, fetch, tick };
}

function produceStage(parts: StageParts, plan: PlanWriter, answers: Answers): ProduceStage {
  const { configOf, context, failures, io, resolve } = parts;
  const { clock, partitions, producers } = context;
  const untilWritten = new Waiters();
  const untilCommitted = new Waiters();
  const admission = new Admission({
    arena: io.arena,
    logs: io.logs,
    partitions,
    producers,
    clock,
    writer: plan,
    untilWritten,
    untilCommitted,
    configOf,
    verifiesPartitions: () => context.config.transactions.verifiesPartitions,
  });
  return new ProduceStage({
    partitions,
    admission,
    untilWritten,
    untilCommitted,
    clock,
    configOf,
    resolve,
    storeAccepts: () => failures.accepts,
    answer: (call, response) => answers.send(call, produceApi, response),
    skip: (call) => answers.skip(call),
    close: (call) => answers.close(call),
    gate: (resume) =>
      new TransactionGate({
        arena: io.arena,
        producers,
        coordinator: parts.transactions,
        resolve,
        topicOf: (logId) => configOf(logId).topic,
        verifies: () => context.config.transactions.verifiesPartitions,
        storeAccepts: () => failures.accepts,
        resume,
        flushSoon: parts.flushSoon,
      }),
  });
}
