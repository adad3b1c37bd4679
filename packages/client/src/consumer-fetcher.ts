import { ZERO_UUID } from "@mantou/base";
import { ErrorCode, fetchApi, type FetchResponse, RecordsError } from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import { codecs } from "./codecs.ts";
import type { Connection } from "./connection.ts";
import type { ConsumerPartition } from "./consumer-partition.ts";
import type { ConsumerSettings } from "./consumer.ts";
import { BrokerError, ClientError, isRetriable, throwIfError } from "./errors.ts";
import { isolationLevel, listOffset } from "./list-offsets.ts";
import { backoffMs } from "./retry.ts";

type FetchedPartition = FetchResponse["responses"][number]["partitions"][number];

/** Topic ids are the only names from this version of Fetch on. */
const TOPIC_IDS_SINCE = 13;
/** Version 18 adds fields for voters of a Raft quorum only. */
const VERSION_MAX = 17;

interface Order {
  readonly state: ConsumerPartition;
  readonly generation: number;
  readonly leaderEpoch: number;
}

/** Keeps one fetch under way at each broker that leads a partition with nothing fetched ahead. */
export class ConsumerFetcher {
  private readonly busyBrokers = new Set<number>();
  /** Not shared: a fetch waits at its broker, and everything behind it would wait too. */
  private readonly connections = new Map<number, Connection>();
  private isClosed = false;

  /**
   * @param onProgress called when a fetch or a lookup has ended, whichever way.
   * @param onFailure called with an error that trying again does not help.
   */
  constructor(
    private readonly cluster: Cluster,
    private readonly settings: ConsumerSettings,
    private readonly onProgress: () => void,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /** What a broker still holds back is of no use to anybody. */
  close(): void {
    this.isClosed = true;
    for (const connection of this.connections.values()) connection.close();
    this.connections.clear();
  }

  /** Starts what is missing. Gives the milliseconds after which to look again, or Infinity. */
  start(partitions: Iterable<ConsumerPartition>): number {
    const now = performance.now();
    const orders = new Map<number, Order[]>();
    let againMs = Infinity;
    for (const state of partitions) {
      if (state.isBusy || state.buffered > 0) continue;
      if (state.notBeforeMs > now) {
        againMs = Math.min(againMs, state.notBeforeMs - now);
        continue;
      }
      const metadata = this.cluster.knownTopic(state.topic)?.partitions[state.partition];
      if (state.position === null || metadata === undefined || metadata.leaderId < 0) {
        void this.lookUp(state);
        continue;
      }
      const { leaderId, leaderEpoch } = metadata;
      if (this.busyBrokers.has(leaderId)) continue;
      const list = orders.get(leaderId) ?? [];
      list.push({ state, generation: state.generation, leaderEpoch });
      orders.set(leaderId, list);
    }
    for (const [brokerId, list] of orders) void this.fetch(brokerId, list);
    return againMs;
  }

  /** Finds a partition's leader and the offset that its start stands for. */
  private async lookUp(state: ConsumerPartition): Promise<void> {
    const { topic, partition, generation } = state;
    state.isBusy = true;
    try {
      await this.cluster.onLeader(topic, partition, async () => {});
      const { start } = state;
      if (typeof start !== "number" && state.position === null) {
        const { isolation } = this.settings;
        const { offset } = await listOffset(this.cluster, topic, partition, start, isolation);
        // No record is that young: what comes next will be.
        const end = async (): Promise<number> =>
          (await listOffset(this.cluster, topic, partition, "latest", isolation)).offset;
        const position = offset >= 0 ? offset : await end();
        if (state.generation === generation) state.position = position;
      }
    } catch (error) {
      // What may pass by itself was tried for a while already.
      this.backOff(state);
      if (!this.isClosed) this.onFailure(error);
    } finally {
      state.isBusy = false;
      this.onProgress();
    }
  }

  private async fetch(brokerId: number, orders: readonly Order[]): Promise<void> {
    this.busyBrokers.add(brokerId);
    for (const { state } of orders) state.isBusy = true;
    try {
      const connection = await this.connection(brokerId);
      await this.exchange(connection, orders);
    } catch (error) {
      for (const { state } of orders) {
        this.cluster.forget(state.topic);
        this.backOff(state);
      }
      if (!isRetriable(error) && !this.isClosed) this.onFailure(error);
    } finally {
      for (const { state } of orders) state.isBusy = false;
      this.busyBrokers.delete(brokerId);
      this.onProgress();
    }
  }

  /** One fetch is under way at a broker at a time, so that no second one opens another. */
  private async connection(brokerId: number): Promise<Connection> {
    const known = this.connections.get(brokerId);
    if (known?.isOpen === true) return known;
    const connection = await this.cluster.ownConnection(brokerId);
    if (this.isClosed) connection.close();
    else this.connections.set(brokerId, connection);
    return connection;
  }

  private async exchange(connection: Connection, orders: readonly Order[]): Promise<void> {
    const { maxWaitMs, minBytes, fetchBytesMax, isolation } = this.settings;
    const topics = this.group(orders);
    const hasIds = topics.every(({ topicId }) => topicId !== ZERO_UUID);
    const version = connection.versions.pick(fetchApi, hasIds ? VERSION_MAX : TOPIC_IDS_SINCE - 1);
    const request = {
      maxWaitMs,
      minBytes,
      maxBytes: fetchBytesMax,
      isolationLevel: isolationLevel(isolation),
      topics,
      forgottenTopicsData: [],
    };
    const timeoutMs = maxWaitMs + this.settings.requestTimeoutMs;
    const exchanged = connection.exchange(fetchApi, version, request, { timeoutMs });
    const { response, bytes } = await exchanged.catch((error: unknown) => {
      if (error instanceof ClientError && error.code === "TIMED_OUT") connection.close();
      throw error;
    });
    throwIfError(response.errorCode, "Fetch");
    const byKey = new Map<string, Order>();
    for (const order of orders) {
      const { topic, partition } = order.state;
      byKey.set(`${partition} ${topic}`, order);
      byKey.set(`${partition} ${this.cluster.knownTopic(topic)?.topicId ?? ""}`, order);
    }
    for (const topic of response.responses) {
      const name = version >= TOPIC_IDS_SINCE ? topic.topicId : topic.topic;
      for (const result of topic.partitions) {
        const order = byKey.get(`${result.partitionIndex} ${name}`);
        if (order !== undefined) this.receive(order, result, bytes);
      }
    }
  }

  private group(orders: readonly Order[]) {
    const topics = new Map<string, Order[]>();
    for (const order of orders) {
      const list = topics.get(order.state.topic);
      if (list === undefined) topics.set(order.state.topic, [order]);
      else list.push(order);
    }
    return [...topics].map(([topic, list]) => ({
      topic,
      topicId: this.cluster.knownTopic(topic)?.topicId ?? ZERO_UUID,
      partitions: list.map(({ state, leaderEpoch }) => ({
        partition: state.partition,
        currentLeaderEpoch: leaderEpoch,
        fetchOffset: state.position ?? 0,
        partitionMaxBytes: this.settings.partitionBytesMax,
      })),
    }));
  }

  private receive(order: Order, result: FetchedPartition, bytes: Uint8Array): void {
    const { state, generation } = order;
    if (state.generation !== generation) return;
    const name = `${state.topic}-${state.partition}`;
    if (result.errorCode !== ErrorCode.NONE) {
      this.partitionFailed(state, new BrokerError(result.errorCode, `fetch from ${name}`));
      return;
    }
    state.failures = 0;
    state.highWatermark = result.highWatermark;
    state.lastStableOffset = result.lastStableOffset;
    state.logStartOffset = result.logStartOffset;
    const span = result.records;
    if (span === null || span.length === 0) return;
    const committed = this.settings.isolation === "read_committed";
    const aborted = committed ? (result.abortedTransactions ?? []) : null;
    const { checkCrc, inflatedBytesMax } = this.settings;
    try {
      const part = bytes.subarray(span.offset, span.offset + span.length);
      const whole = state.receive(part, aborted, { codecs, checkCrc, inflatedBytesMax });
      if (whole) return;
      const why = `${name} answers with ${span.length} bytes that hold no whole batch`;
      this.partitionFailed(state, new ClientError("MALFORMED", why));
    } catch (error) {
      if (!(error instanceof RecordsError)) throw error;
      const why = `${name} at offset ${state.position}: ${error.message}`;
      this.partitionFailed(state, new ClientError("MALFORMED", why, { cause: error }));
    }
  }

  private partitionFailed(state: ConsumerPartition, error: unknown): void {
    const { offsetReset } = this.settings;
    const isOutside =
      error instanceof BrokerError && error.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE;
    if (isOutside && offsetReset !== "none") {
      state.seek(offsetReset);
      return;
    }
    this.cluster.forget(state.topic);
    this.backOff(state);
    if (!isRetriable(error) && !this.isClosed) this.onFailure(error);
  }

  private backOff(state: ConsumerPartition): void {
    state.failures += 1;
    state.notBeforeMs = performance.now() + backoffMs(state.failures);
  }
}
