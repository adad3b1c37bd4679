import { ZERO_UUID } from "@mantou/base";
import {
  type AnyApi,
  BatchView,
  decodeBatches,
  ErrorCode,
  fetchApi,
  type FetchRequest,
  initProducerIdApi,
  listOffsetsApi,
  type ListOffsetsRequest,
  metadataApi,
  type MetadataRequest,
  produceApi,
  type ProduceRequest,
} from "@mantou/protocol";
import { codecs } from "../src/codecs.ts";
import { type Call, CLOSE, FakeBroker, SILENT } from "./fake-broker.ts";

/** What a test does to a produce or fetch of one partition. */
export type Fault =
  | number
  /** The connection ends before or after the bytes were taken. */
  | "close"
  | "close-after"
  | "silent"
  | null;

export interface FakePartition {
  leader: number;
  leaderEpoch: number;
  startOffset: number;
  endOffset: number;
  stableOffset: number;
  readonly batches: Uint8Array[];
  aborted: { producerId: number; firstOffset: number }[];
  readonly producers: Map<number, { nextSequence: number; sent: Map<number, number> }>;
}

export type PartitionCall = (
  api: "Produce" | "Fetch",
  partition: FakePartition,
  brokerId: number,
) => Fault;

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Brokers that share partitions in memory, and do what a test says to each call. */
export class FakeCluster {
  readonly brokers: FakeBroker[] = [];
  readonly topics = new Map<string, FakePartition[]>();
  fault: PartitionCall = () => null;
  /** Errors for whole topics in metadata. */
  readonly topicErrors = new Map<string, number>();
  private nextProducerId = 1000;
  private ids = 0;
  private readonly topicIds = new Map<string, string>();

  constructor(
    count: number,
    private readonly maxVersions: Readonly<Record<string, number>> = {},
  ) {
    for (let id = 0; id < count; id += 1) this.brokers.push(this.broker(id));
  }

  get addresses(): string {
    return this.brokers.map(({ port }) => `127.0.0.1:${port}`).join(",");
  }

  /** Adds a topic whose partitions are led by the given brokers. */
  topic(name: string, leaders: readonly number[]): FakePartition[] {
    const partitions = leaders.map((leader) => ({
      leader,
      leaderEpoch: 0,
      startOffset: 0,
      endOffset: 0,
      stableOffset: -1,
      batches: [],
      aborted: [],
      producers: new Map(),
    }));
    this.ids += 1;
    this.topicIds.set(name, Buffer.from([...Array(15).fill(1), this.ids]).toString("base64url"));
    this.topics.set(name, partitions);
    return partitions;
  }

  stop(): void {
    for (const broker of this.brokers) broker.stop();
  }

  /** Values of all records of a partition, as text. */
  values(topic: string, partition: number): string[] {
    const found = this.topics.get(topic)?.[partition];
    return (found?.batches ?? []).flatMap((bytes) =>
      decodeBatches(bytes, { codecs }).flatMap((batch) =>
        batch.records.map((record) => new TextDecoder().decode(record.value ?? undefined)),
      ),
    );
  }

  /** Appends a batch as it is, under the next offsets. */
  append(partition: FakePartition, bytes: Uint8Array): number {
    const batch = new BatchView().at(viewOf(bytes), 0);
    const baseOffset = partition.endOffset;
    batch.baseOffset = baseOffset;
    batch.partitionLeaderEpoch = partition.leaderEpoch;
    partition.batches.push(bytes);
    partition.endOffset = batch.lastOffset + 1;
    return baseOffset;
  }

  private broker(id: number): FakeBroker {
    const broker = new FakeBroker(this.maxVersions);
    const on = (api: AnyApi, handler: Parameters<FakeBroker["handle"]>[1]): void => {
      broker.handle(api, handler);
    };
    on(metadataApi, (request: MetadataRequest) => this.metadata(request));
    on(produceApi, (request: ProduceRequest, call: Call) => this.produce(id, request, call));
    on(fetchApi, (request: FetchRequest, call: Call) => this.fetch(id, request, call));
    on(listOffsetsApi, (request: ListOffsetsRequest) => this.listOffsets(id, request));
    on(initProducerIdApi, () => {
      this.nextProducerId += 1;
      return { errorCode: 0, producerId: this.nextProducerId, producerEpoch: 0 };
    });
    return broker;
  }

  private metadata(request: MetadataRequest) {
    const names = request.topics?.map((topic) => topic.name ?? "") ?? [...this.topics.keys()];
    return {
      brokers: this.brokers.map(({ port }, nodeId) => ({ nodeId, host: "127.0.0.1", port })),
      clusterId: "fake",
      controllerId: 0,
      topics: names.map((name) => {
        const partitions = this.topics.get(name);
        const missing = partitions === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : 0;
        return {
          errorCode: this.topicErrors.get(name) ?? missing,
          name,
          topicId: this.topicIds.get(name) ?? ZERO_UUID,
          partitions: (partitions ?? []).map((partition, partitionIndex) => ({
            errorCode: partition.leader < 0 ? ErrorCode.LEADER_NOT_AVAILABLE : 0,
            partitionIndex,
            leaderId: partition.leader,
            leaderEpoch: partition.leaderEpoch,
            replicaNodes: [partition.leader],
            isrNodes: [partition.leader],
            offlineReplicas: [],
          })),
        };
      }),
    };
  }

  private nameOf(name: string, topicId: string): string {
    if (name !== "") return name;
    for (const [known, id] of this.topicIds) if (id === topicId) return known;
    return "";
  }

  private produce(brokerId: number, request: ProduceRequest, call: Call): unknown {
    let special: symbol | null = null;
    const responses = request.topicData.map((topic) => ({
      name: topic.name,
      topicId: topic.topicId,
      partitionResponses: topic.partitionData.map(({ index, records }) => {
        const partition = this.topics.get(this.nameOf(topic.name, topic.topicId))?.[index];
        const answer = { index, errorCode: 0, baseOffset: -1, recordErrors: [] };
        if (partition === undefined) return { ...answer, errorCode: 3 };
        const fault = this.fault("Produce", partition, brokerId);
        if (fault === "close" || fault === "silent") special = fault === "close" ? CLOSE : SILENT;
        if (fault === "close" || fault === "silent") return answer;
        if (typeof fault === "number") return { ...answer, errorCode: fault };
        if (partition.leader !== brokerId) return { ...answer, errorCode: 6 };
        const span = records as { offset: number; length: number };
        const bytes = call.bytes.slice(span.offset, span.offset + span.length);
        const [errorCode, baseOffset] = this.appendProduced(partition, bytes);
        if (fault === "close-after") special = CLOSE;
        return { ...answer, errorCode, baseOffset };
      }),
    }));
    if (special !== null) return special;
    return request.acks === 0 ? SILENT : { responses };
  }

  /**
   * Sequence numbers as a leader checks them, with all duplicates remembered. A producer that the
   * partition has not seen may begin with any number, as with Kafka.
   */
  private appendProduced(partition: FakePartition, bytes: Uint8Array): [number, number] {
    const batch = new BatchView().at(viewOf(bytes), 0);
    if (batch.computeCrc(bytes) !== batch.crc) return [ErrorCode.CORRUPT_MESSAGE, -1];
    const { producerId, baseSequence, recordsCount } = batch;
    if (producerId < 0) return [0, this.append(partition, bytes)];
    const known = partition.producers.get(producerId) ?? {
      nextSequence: baseSequence,
      sent: new Map(),
    };
    const duplicate = known.sent.get(baseSequence);
    if (duplicate !== undefined) return [0, duplicate];
    if (baseSequence !== known.nextSequence) return [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1];
    known.nextSequence += recordsCount;
    const baseOffset = this.append(partition, bytes);
    known.sent.set(baseSequence, baseOffset);
    partition.producers.set(producerId, known);
    return [0, baseOffset];
  }

  private async fetch(brokerId: number, request: FetchRequest, call: Call): Promise<unknown> {
    let special: symbol | null = null;
    let size = 0;
    const responses = request.topics.map((topic) => ({
      topic: topic.topic,
      topicId: topic.topicId,
      partitions: topic.partitions.map((wanted) => {
        const name = this.nameOf(topic.topic, topic.topicId);
        const partition = this.topics.get(name)?.[wanted.partition];
        const answer = emptyPartition(wanted.partition);
        if (partition === undefined) return { ...answer, errorCode: 3 };
        const fault = this.fault("Fetch", partition, brokerId);
        if (fault === "close" || fault === "silent") special = fault === "close" ? CLOSE : SILENT;
        if (typeof fault === "number") return { ...answer, errorCode: fault };
        if (partition.leader !== brokerId) return { ...answer, errorCode: 6 };
        const { fetchOffset } = wanted;
        if (fetchOffset < partition.startOffset || fetchOffset > partition.endOffset) {
          return { ...answer, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE };
        }
        const records = batchesFrom(partition, fetchOffset, wanted.partitionMaxBytes);
        size += records.length;
        return {
          ...answer,
          highWatermark: partition.endOffset,
          lastStableOffset: partition.endOffset,
          logStartOffset: partition.startOffset,
          abortedTransactions: request.isolationLevel === 1 ? partition.aborted : null,
          records,
        };
      }),
    }));
    if (special !== null) return special;
    const idle = size === 0 && responses.every((t) => t.partitions.every((p) => p.errorCode === 0));
    if (idle) await Bun.sleep(Math.min(20, request.maxWaitMs));
    return { sessionId: 0, responses, version: call.version };
  }

  private listOffsets(brokerId: number, request: ListOffsetsRequest) {
    return {
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          const partition = this.topics.get(name)?.[partitionIndex];
          if (partition?.leader !== brokerId) return { partitionIndex, errorCode: 6 };
          const offset = timestamp === -2 ? partition.startOffset : partition.endOffset;
          return { partitionIndex, errorCode: 0, offset: timestamp >= 0 ? -1 : offset };
        }),
      })),
    };
  }
}

const emptyPartition = (partitionIndex: number) => ({
  partitionIndex,
  errorCode: 0,
  highWatermark: -1,
  abortedTransactions: null,
  records: new Uint8Array(0),
});

/** Whole batches from the one with `offset`, then one cut off, as a broker may send it. */
function batchesFrom(partition: FakePartition, offset: number, bytesMax: number): Uint8Array {
  const wanted = partition.batches.filter(
    (bytes) => new BatchView().at(viewOf(bytes), 0).lastOffset >= offset,
  );
  const all = Buffer.concat(wanted);
  return all.subarray(0, Math.max(bytesMax, wanted[0]?.length ?? 0));
}
