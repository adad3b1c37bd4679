import { type LogId, type Offset, type Uuid, logId, millis } from "@mantou/base";
import {
  CatalogImage,
  type Command,
  type ReplyTo,
  apply,
  decide,
  parseBrokerConfig,
  resolveBrokerConfig,
} from "@mantou/catalog";
import { IoError, type LogState, type LogStore } from "@mantou/io";
import { type Api, ErrorCode, Reader, Writer } from "@mantou/protocol";
import { PartitionTable, ProducerStates } from "@mantou/replication";
import type {
  BrokerContext,
  Call,
  Handler,
  Outcome,
  QuorumDescription,
} from "../../src/handler.ts";

export const CLUSTER_ID = "a-cluster";
/** Ids of the listeners of the broker under test. */
export const Listener = { INSIDE: 0, OUTSIDE: 1 } as const;

/** A log that knows its offsets and nothing else. */
class FakeLogs {
  failing = false;
  readonly startOffsets = new Map<LogId, number>();

  async trim(id: LogId, start: Offset): Promise<LogState> {
    if (this.failing) throw new IoError("EIO", "the disk says no");
    this.startOffsets.set(id, start);
    return {
      logId: id,
      startOffset: start,
      endOffset: start,
      largestTimestamp: -1,
      cutBytes: 0,
      corruptFromOffset: null,
    };
  }

  sizes(logIds: Uint32Array, bytes: Float64Array): void {
    for (const [index, id] of logIds.entries()) bytes[index] = 1000 + id;
  }

  stats() {
    return { freeBytes: 5_000_000, totalBytes: 9_000_000 };
  }
}

/** Broker 1 of a cluster as the handlers see it: the real catalog and machines, no network or disk. */
export class HandlerContext {
  image = new CatalogImage();
  readonly partitions = new PartitionTable(1);
  readonly producers = new ProducerStates({
    producersPerPartitionMax: 100,
    producersMax: 100,
    producerIdExpirationMs: 1000,
  });
  readonly fakeLogs = new FakeLogs();
  readonly moved: LogId[] = [];
  readonly commands: Command[] = [];
  nextId: number | null = 4000;
  private readonly logIds = new Map<string, LogId>();
  private readonly started;
  private uuids = 0;

  constructor(entries: Record<string, string> = {}) {
    const parsed = parseBrokerConfig(Object.entries(entries));
    if (!parsed.ok) throw new Error(parsed.error.join("\n"));
    this.started = parsed.value;
    this.run({ kind: "initializeCluster", clusterId: CLUSTER_ID });
    this.join(1);
  }

  get context(): BrokerContext {
    const { image, partitions, producers, moved } = this;
    return {
      config: resolveBrokerConfig(image, this.started),
      image,
      controller: {
        decide: async <C extends Command>(command: C) => this.run(command),
        quorum: () => this.quorum(),
      },
      groups: {
        ask: (_, __, refuse) => refuse(ErrorCode.NOT_COORDINATOR, null),
        askPartition: (_, __, refuse) => refuse(ErrorCode.NOT_COORDINATOR, null),
        activePartitions: () => [],
      },
      transactions: {
        ask: (_, __, refuse) => refuse(ErrorCode.NOT_COORDINATOR, null),
        askPartition: (_, __, refuse) => refuse(ErrorCode.NOT_COORDINATOR, null),
        activePartitions: () => [],
      },
      markers: { write: (_, __, ___, ____, settle) => settle(ErrorCode.NOT_LEADER_OR_FOLLOWER) },
      acceptsAppends: true,
      clientHost: () => "/127.0.0.1",
      ensureTopic: async (topic) => {
        this.create(topic, 50);
        return true;
      },
      partitions,
      producers,
      logs: this.fakeLogs as unknown as LogStore,
      clock: { wallMs: () => millis(0), monotonicMs: () => 0 },
      nodeId: 1,
      clusterId: CLUSTER_ID,
      directoryId: "directoryIdAAAAAAAAAAA",
      servedApis: [
        { key: 0, minVersion: 0, maxVersion: 13 },
        { key: 18, minVersion: 0, maxVersion: 5 },
      ],
      listenerName: (listenerId) => (listenerId === Listener.INSIDE ? "INSIDE" : "OUTSIDE"),
      logOf: (topicId, partition) => this.logIds.get(`${topicId}-${partition}`) ?? -1,
      nextProducerId: async () => {
        if (this.nextId === null) throw new Error("no controller");
        return this.nextId++;
      },
      startOffsetMoved: (id) => void moved.push(id),
    };
  }

  /** Decides and applies; logs are opened as the broker's drivers do. */
  run<C extends Command>(command: C): ReplyTo<C> {
    this.commands.push(command);
    const context = { nowMs: millis(0), newUuid: () => this.newUuid(), config: this.started };
    const { records, reply } = decide(this.image, command, context);
    for (const record of records) apply(this.image, record);
    this.openLogs();
    return reply;
  }

  /** Brokers other than 1 have an address on INSIDE only. */
  join(nodeId: number): void {
    const endpoints = nodeId === 1 ? ["INSIDE", "OUTSIDE"] : ["INSIDE"];
    const { brokerEpoch } = this.run({
      kind: "registerBroker",
      nodeId,
      incarnationId: this.newUuid(),
      rack: nodeId === 1 ? "r1" : null,
      endpoints: endpoints.map((listener, index) => ({
        listener,
        host: `${listener.toLowerCase()}-${nodeId}`,
        port: 9092 + index,
        securityProtocol: "PLAINTEXT",
      })),
      earlierIsAlive: false,
    });
    this.run({ kind: "fenceBroker", nodeId, brokerEpoch, fenced: false });
  }

  fence(nodeId: number): void {
    const brokerEpoch = this.image.broker(nodeId)?.epoch ?? -1;
    this.run({ kind: "fenceBroker", nodeId, brokerEpoch, fenced: true });
  }

  create(name: string, numPartitions = 1, brokerIds: readonly number[] = [1]): Uuid {
    const assignments = Array.from({ length: numPartitions }, (_, partitionIndex) => ({
      partitionIndex,
      brokerIds: [...brokerIds],
    }));
    const [created] = this.run({
      kind: "createTopics",
      topics: [{ name, numPartitions: -1, replicationFactor: -1, assignments, configs: [] }],
      validateOnly: false,
    });
    if (created?.errorCode !== 0) throw new Error(created?.errorMessage ?? "no reply");
    return created.topicId;
  }

  /** Gives a partition committed records. */
  fill(topic: string, partition: number, endOffset: number): LogId {
    const id = this.context.logOf(this.image.topicByName(topic)?.topicId ?? "", partition);
    if (id === -1) throw new Error(`${topic}-${partition} is not here`);
    this.partitions.appended(id, endOffset);
    this.partitions.durable(id, endOffset);
    return id;
  }

  newUuid(): Uuid {
    this.uuids += 1;
    return `id${String(this.uuids).padStart(6, "0")}AAAAAAAAAAAAAA` as Uuid;
  }

  private openLogs(): void {
    for (const topic of this.image.topicsByName.values()) {
      for (let partition = 0; partition < topic.partitionCount; partition += 1) {
        const key = `${topic.topicId}-${partition}`;
        if (!topic.isReplica(partition, 1) || this.logIds.has(key)) continue;
        const id = logId(this.logIds.size);
        this.logIds.set(key, id);
        this.partitions.opened(id, {
          leader: topic.leaderOf(partition) === 1,
          leaderEpoch: topic.leaderEpochOf(partition),
          startOffset: 0,
          endOffset: 0,
          corruptFromOffset: null,
        });
      }
    }
  }

  private quorum(): QuorumDescription {
    const replica = {
      replicaId: 1,
      directoryId: "directoryIdAAAAAAAAAAA",
      logEndOffset: 12,
      lastFetchTimestamp: -1,
      lastCaughtUpTimestamp: 99,
    };
    return { leaderId: 1, leaderEpoch: 3, highWatermark: 11, voters: [replica], observers: [] };
  }
}

export function call(version: number, listenerId: number = Listener.INSIDE): Call {
  return {
    connection: 0,
    generation: 0,
    sequence: 0,
    apiKey: 0,
    version,
    correlationId: 0,
    clientId: "",
    listenerId,
  };
}

export async function settle<Response>(outcome: Outcome<Response>): Promise<Response> {
  if (outcome.kind === "close") throw new Error(`closed: ${outcome.reason}`);
  if (outcome.kind === "waits") {
    const { promise, resolve } = Promise.withResolvers<Response>();
    outcome.start(resolve);
    return promise;
  }
  return outcome.response;
}

/**
 * Asks over the wire: the request is encoded and decoded at a version, and so is the response.
 * What comes back is what a client of that version sees.
 */
export async function ask<Request, Response, RequestInput, ResponseInput>(
  broker: HandlerContext,
  api: Api<Request, Response, RequestInput, ResponseInput>,
  handle: Handler<Request, ResponseInput>,
  version: number,
  request: RequestInput,
  listenerId: number = Listener.INSIDE,
): Promise<Response> {
  const writer = new Writer(256);
  api.request.encode(writer, request, version);
  const asked = writer.bytes.slice(0, writer.length);
  const reader = new Reader(asked).reset(0, asked.length);
  const decoded = api.request.decode(reader, version);
  const response = await settle(handle(broker.context, call(version, listenerId), decoded));
  writer.reset();
  api.response.encode(writer, response, version);
  const answered = writer.bytes.slice(0, writer.length);
  return api.response.decode(new Reader(answered).reset(0, answered.length), version);
}

/** All versions of an API, or those up to `maxVersion`. */
export const versionsOf = (
  api: { readonly minVersion: number; readonly maxVersion: number },
  from: number = api.minVersion,
): number[] => Array.from({ length: api.maxVersion - from + 1 }, (_, index) => from + index);
