import type { Clock, LogId } from "@mantou/base";
import type { BrokerConfig, CatalogImage, Command, ReplyTo } from "@mantou/catalog";
import type { LogStore } from "@mantou/io";
import type { PartitionTable, ProducerStates } from "@mantou/replication";
import type { TransactionCommand } from "@mantou/transactions";
import type { GroupQuestion, GroupSettle } from "./coordinators/group-coordinator.ts";
import type { CoordinatorTopic } from "./coordinators/internal-topics.ts";
import type { MarkerWriter } from "./transactions/marker-writer.ts";
import type { TransactionSettle } from "./transactions/transaction-coordinator.ts";

/** Where a request came from and where its answer goes. One per request, never kept on the hot path. */
export interface Call {
  readonly connection: number;
  readonly generation: number;
  /** Place of the answer in the connection's order. */
  readonly sequence: number;
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  /** Empty when the client sent none. */
  readonly clientId: string;
  readonly listenerId: number;
  /** When the tick that took it began, in monotonic milliseconds; absent or -1: not measured. */
  readonly arrivedMs?: number;
}

/** What a handler hands back. The request is not touched again by anybody after `answer`. */
export type Outcome<Response> =
  | { readonly kind: "answer"; readonly response: Response }
  /** Cold paths only: waits for the controller or for a disk. A rejection is answered by a refusal. */
  | { readonly kind: "later"; readonly response: Promise<Response> }
  /**
   * Waits for a coordinator, without a promise. `start` is called once and calls `respond` once,
   * at once or in a later tick; never when the broker stops first.
   */
  | { readonly kind: "waits"; readonly start: (respond: (response: Response) => void) => void }
  /** Protocol violation for which the protocol asks to hang up without an answer. */
  | { readonly kind: "close"; readonly reason: string };

export const answer = <Response>(response: Response): Outcome<Response> => ({
  kind: "answer",
  response,
});

export const later = <Response>(response: Promise<Response>): Outcome<Response> => ({
  kind: "later",
  response,
});

export const waits = <Response>(
  start: (respond: (response: Response) => void) => void,
): Outcome<Response> => ({ kind: "waits", start });

/** One API's decision: request in, outcome out. */
export type Handler<Request, Response> = (
  broker: BrokerContext,
  call: Call,
  request: Request,
) => Outcome<Response>;

/** An address at which clients of one listener reach a broker. */
export interface Endpoint {
  readonly listenerName: string;
  readonly host: string;
  readonly port: number;
}

/** The way to the replicated metadata: decide, commit, apply, then the reply. */
export interface ControllerPort {
  /** Resolves with the reply once its records are committed and applied here. */
  decide<C extends Command>(command: C): Promise<ReplyTo<C>>;
  /** Figures for DescribeQuorum. */
  quorum(): QuorumDescription;
}

export interface QuorumDescription {
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly highWatermark: number;
  readonly voters: readonly ReplicaProgress[];
  readonly observers: readonly ReplicaProgress[];
}

export interface ReplicaProgress {
  readonly replicaId: number;
  readonly directoryId: string;
  readonly logEndOffset: number;
  readonly lastFetchTimestamp: number;
  readonly lastCaughtUpTimestamp: number;
}

/** The way to the shards of groups (`GroupCoordinator`). */
export interface GroupsPort {
  ask<C extends GroupQuestion>(groupId: string, command: C, settle: GroupSettle<C>): void;
  askPartition<C extends GroupQuestion>(
    partition: number,
    command: C,
    settle: GroupSettle<C>,
  ): void;
  /** Partitions whose shards have groups; null while one is being loaded. */
  activePartitions(): readonly number[] | null;
}

/** The way to the shards of transactional ids (`TransactionCoordinator`). */
export interface TransactionsPort {
  ask(transactionalId: string, command: TransactionCommand, settle: TransactionSettle): void;
  askPartition(partition: number, command: TransactionCommand, settle: TransactionSettle): void;
  /** Partitions whose shards have transactional ids; null while one is being loaded. */
  activePartitions(): readonly number[] | null;
}

/** What an ApiVersions answer is derived from. */
export interface ServedApi {
  readonly key: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** Everything a handler may look at. Handlers change nothing here except through its methods. */
export interface BrokerContext {
  readonly config: BrokerConfig;
  readonly image: CatalogImage;
  readonly controller: ControllerPort;
  readonly groups: GroupsPort;
  readonly transactions: TransactionsPort;
  readonly markers: Pick<MarkerWriter, "write">;
  readonly partitions: PartitionTable;
  readonly producers: ProducerStates;
  readonly logs: LogStore;
  readonly clock: Clock;
  readonly nodeId: number;
  readonly clusterId: string;
  /** The id of this broker's data directory, in Kafka's text form. */
  readonly directoryId: string;
  readonly servedApis: readonly ServedApi[];
  /** The name of the listener a request came in on. */
  listenerName(listenerId: number): string;
  /** This process's log of a partition, or -1: not hosted here or not yet open. */
  logOf(topicId: string, partition: number): LogId | -1;
  /** False while the disk is full: only what frees space or is bounded may still be written. */
  readonly acceptsAppends: boolean;
  /** The address of a client in Kafka's form: a slash, then the address. */
  clientHost(call: Pick<Call, "connection" | "generation">): string;
  /** Creates the topic of a coordinator where it is missing; resolves with whether it is there. */
  ensureTopic(topic: CoordinatorTopic): Promise<boolean>;
  /** A producer id that no one else has. Waits for the controller when a block is used up. */
  nextProducerId(): Promise<number>;
  /** Called when records of a log were deleted from its front (DeleteRecords). */
  startOffsetMoved(logId: LogId): void;
}
