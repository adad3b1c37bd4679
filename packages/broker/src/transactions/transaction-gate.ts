import type { LogId } from "@mantou/base";
import type { Arena } from "@mantou/io";
import type { ProduceRequest } from "@mantou/protocol";
import { BATCH_HEADER_BYTES, BatchAttribute, BatchView, ErrorCode } from "@mantou/protocol";
import type { ProducerStates } from "@mantou/replication";
import type { PartitionsReply, TopicPartitions, TransactionCommand } from "@mantou/transactions";
import type { Call } from "../handler.ts";
import type { Route } from "../handlers/produce.ts";
import { PRODUCES_PENDING_MAX } from "../limits.ts";
import type { TransactionCoordinator } from "./transaction-coordinator.ts";

/** From here on TRANSACTION_ABORTABLE is known, and from there on writing adds (KIP-890). */
const ABORTABLE_VERSION = 11;
export const IMPLICIT_ADD_VERSION = 12;
const TOPIC_ID_VERSION = 13;

/** A partition of a request whose producer has no open transaction there yet. */
interface Unverified {
  readonly logId: LogId;
  readonly topic: string;
  readonly partition: number;
}

/** What the coordinator has said about a request's partitions. */
export interface Verification {
  /** The code of the whole request, or NONE. */
  readonly request: ErrorCode;
  /** Partitions that may begin a transaction now. */
  readonly verified: ReadonlySet<number>;
  /** The code of the others. */
  readonly refused: ReadonlyMap<number, ErrorCode>;
}

interface Held {
  readonly call: Call;
  readonly request: ProduceRequest;
  readonly frameOffset: number;
}

export interface TransactionGateParts {
  readonly arena: Arena;
  readonly producers: ProducerStates;
  readonly coordinator: () => TransactionCoordinator;
  readonly resolve: (topic: string, usesId: boolean, partition: number) => Route;
  readonly topicOf: (logId: LogId) => string;
  /** `transaction.partition.verification.enable`. */
  readonly verifies: () => boolean;
  /** Whether records are taken at all now; where not, nobody is asked in vain. */
  readonly storeAccepts: () => boolean;
  /** Goes on with a request that was held. */
  readonly resume: (held: Held, verification: Verification) => void;
  /** A request was let go outside of a tick. */
  readonly flushSoon: () => void;
}

/**
 * Holds a transactional produce request until the coordinator has said that its partitions are in
 * the producer's transaction, or has added them (KIP-890): a late batch must not begin a
 * transaction that nobody will end. Requests of the same connection wait behind it, in order, with
 * their frames: their number, the connection's quota and the arena bound them.
 */
export class TransactionGate {
  /** By connection slot, the request that is verified first. */
  private readonly queues: (Held[] | undefined)[] = [];
  private readonly batch = new BatchView();
  private heldCount = 0;

  constructor(private readonly parts: TransactionGateParts) {}

  /** True: the request goes on now. Else it is held, and `resume` follows. */
  admits(call: Call, request: ProduceRequest, frameOffset: number): boolean {
    const queue = this.queues[call.connection];
    if (queue !== undefined && queue.length > 0) {
      if (this.heldCount >= PRODUCES_PENDING_MAX) {
        this.parts.resume({ call, request, frameOffset }, TOO_MANY);
        return false;
      }
      queue.push({ call, request, frameOffset });
      this.heldCount += 1;
      return false;
    }
    if (request.transactionalId === null || !this.parts.storeAccepts()) return true;
    const unverified = this.unverified(call, request);
    if (unverified.length === 0) return true;
    const held = { call, request, frameOffset };
    if (queue === undefined) this.queues[call.connection] = [held];
    else queue.push(held);
    this.heldCount += 1;
    this.verify(held, unverified);
    return false;
  }

  /** Partitions for which the coordinator has to be asked. */
  private unverified(call: Call, request: ProduceRequest): Unverified[] {
    const { parts } = this;
    const found: Unverified[] = [];
    if (call.version < IMPLICIT_ADD_VERSION && !parts.verifies()) return found;
    const usesId = call.version >= TOPIC_ID_VERSION;
    for (const topic of request.topicData) {
      for (const { index, records } of topic.partitionData) {
        if (!this.seeTransactional(records)) continue;
        const route = parts.resolve(usesId ? topic.topicId : topic.name, usesId, index);
        if ("errorCode" in route) continue;
        const { logId } = route;
        const { producerEpoch, producerId } = this.batch;
        if (parts.producers.isInTransaction(logId, producerId, producerEpoch)) continue;
        found.push({ logId, topic: parts.topicOf(logId), partition: index });
      }
    }
    return found;
  }

  /** Whether a batch is transactional; `batch` then stands on it. Nothing else is judged here. */
  private seeTransactional(
    records: ProduceRequest["topicData"][number]["partitionData"][number]["records"],
  ): boolean {
    if (records === null || !("offset" in records)) return false;
    if (records.length < BATCH_HEADER_BYTES) return false;
    this.batch.at(this.parts.arena.view, records.offset);
    return (this.batch.attributes & BatchAttribute.TRANSACTIONAL) !== 0;
  }

  private verify(held: Held, unverified: readonly Unverified[]): void {
    const { call, request } = held;
    const producer = this.producerOf(request);
    if (producer === null) {
      this.settle(held, refusing(unverified, ErrorCode.INVALID_PRODUCER_ID_MAPPING));
      return;
    }
    const transactionalId = request.transactionalId as string;
    const topics = grouped(unverified);
    const common = { transactionalId, ...producer, topics };
    const command: TransactionCommand =
      call.version >= IMPLICIT_ADD_VERSION
        ? { kind: "addPartitions", ...common, clientVersion: 2 }
        : { kind: "verifyPartitions", ...common };
    this.parts.coordinator().ask(transactionalId, command, (errorCode, reply) => {
      const partitions = reply as PartitionsReply | null;
      this.settle(held, verification(unverified, call.version, errorCode, partitions));
    });
  }

  /** Whose transactional batches these are; null: of more than one producer. */
  private producerOf(
    request: ProduceRequest,
  ): { readonly producerId: number; readonly producerEpoch: number } | null {
    let producer: { producerId: number; producerEpoch: number } | null = null;
    for (const { partitionData } of request.topicData) {
      for (const { records } of partitionData) {
        if (!this.seeTransactional(records)) continue;
        const { producerEpoch, producerId } = this.batch;
        producer ??= { producerId, producerEpoch };
        if (producer.producerId !== producerId || producer.producerEpoch !== producerEpoch) {
          return null;
        }
      }
    }
    return producer;
  }

  /** Lets a request go on, and whatever waits behind it up to the next that must be verified. */
  private settle(held: Held, verification: Verification): void {
    const queue = this.queues[held.call.connection] as Held[];
    queue.shift();
    this.heldCount -= 1;
    this.parts.resume(held, verification);
    while (queue.length > 0) {
      const next = queue[0] as Held;
      const isFree = next.request.transactionalId === null;
      const unverified = isFree ? [] : this.unverified(next.call, next.request);
      if (unverified.length > 0) {
        this.verify(next, unverified);
        break;
      }
      queue.shift();
      this.heldCount -= 1;
      this.parts.resume(next, NOTHING);
    }
    this.parts.flushSoon();
  }
}

const NOTHING: Verification = {
  request: ErrorCode.NONE,
  verified: new Set(),
  refused: new Map(),
};
/** The answer to whoever sends on and on while the first request waits: it may be sent again. */
const TOO_MANY: Verification = { ...NOTHING, request: ErrorCode.KAFKA_STORAGE_ERROR };

function grouped(unverified: readonly Unverified[]): TopicPartitions[] {
  const byTopic = new Map<string, number[]>();
  for (const { partition, topic } of unverified) {
    const partitions = byTopic.get(topic);
    if (partitions === undefined) byTopic.set(topic, [partition]);
    else partitions.push(partition);
  }
  return [...byTopic].map(([topic, partitions]) => ({ topic, partitions }));
}

const refusing = (unverified: readonly Unverified[], errorCode: ErrorCode): Verification => ({
  ...NOTHING,
  refused: new Map(unverified.map(({ logId }) => [logId, errorCode])),
});

function verification(
  unverified: readonly Unverified[],
  version: number,
  errorCode: ErrorCode,
  reply: PartitionsReply | null,
): Verification {
  const code = reply === null ? errorCode : reply.errorCode;
  if (code !== ErrorCode.NONE) return refusing(unverified, produceCode(code, version));
  const verified = new Set<number>();
  const refused = new Map<number, ErrorCode>();
  for (const { logId, partition, topic } of unverified) {
    const isRefused = reply?.refused.some(
      (one) => one.topic === topic && one.partitions.includes(partition),
    );
    if (isRefused === true) {
      refused.set(logId, produceCode(reply?.refusedCode ?? ErrorCode.INVALID_TXN_STATE, version));
    } else verified.add(logId);
  }
  return { request: ErrorCode.NONE, verified, refused };
}

/** The coordinator's word in that of Produce: what is tried again must look so to old clients. */
function produceCode(code: ErrorCode, version: number): ErrorCode {
  switch (code) {
    case ErrorCode.PRODUCER_FENCED:
      return ErrorCode.INVALID_PRODUCER_EPOCH;
    case ErrorCode.TRANSACTION_ABORTABLE:
      return version >= ABORTABLE_VERSION
        ? ErrorCode.TRANSACTION_ABORTABLE
        : ErrorCode.INVALID_TXN_STATE;
    case ErrorCode.CONCURRENT_TRANSACTIONS:
      return version >= IMPLICIT_ADD_VERSION ? code : ErrorCode.NOT_ENOUGH_REPLICAS;
    case ErrorCode.NOT_COORDINATOR:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
      return ErrorCode.NOT_ENOUGH_REPLICAS;
    default:
      return code;
  }
}
