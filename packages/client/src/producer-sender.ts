import { ZERO_UUID } from "@mantou/base";
import { ErrorCode, produceApi } from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import { codecs } from "./codecs.ts";
import type { Connection } from "./connection.ts";
import { BrokerError, brokerError, ClientError, isRetriable } from "./errors.ts";
import { type Parcel, type PartitionResult, resultsOf, topicDataOf } from "./produce-request.ts";
import type { ProducerBatch } from "./producer-batch.ts";
import { ProducerIdentity } from "./producer-identity.ts";
import { ProducerLane } from "./producer-lane.ts";
import { ProducerLink } from "./producer-link.ts";
import type { ProducerSettings } from "./producer-options.ts";
import { backoffMs } from "./retry.ts";
import { TopicLearner } from "./topic-learner.ts";

const REQUESTS_MAX = 5;
/** While anything is pending, it is looked at this often even if nothing happens. */
const IDLE_LOOK_MS = 500;
/** Topic ids are the only names from this version of Produce on. */
const TOPIC_IDS_SINCE = 13;

/** Sends batches to the leaders of their partitions and settles them. */
export class ProducerSender {
  private readonly lanes = new Map<string, ProducerLane>();
  private readonly busy = new Set<ProducerLane>();
  private readonly links = new Map<number, ProducerLink>();
  private readonly topics: TopicLearner;
  private readonly identity: ProducerIdentity;
  private isScheduled = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  /** Batches do not linger. */
  isHurried = false;

  /** @param onSettled called after a batch was completed or failed. */
  constructor(
    private readonly cluster: Cluster,
    private readonly settings: ProducerSettings,
    private readonly onSettled: (batch: ProducerBatch) => void,
    /** Called when a topic was learnt (null), or cannot be. */
    private readonly onTopic: (topic: string, error: unknown) => void,
  ) {
    const { deliveryTimeoutMs, metadataTimeoutMs, requestTimeoutMs } = settings;
    this.topics = new TopicLearner(cluster, metadataTimeoutMs, deliveryTimeoutMs);
    this.identity = new ProducerIdentity(cluster, deliveryTimeoutMs, requestTimeoutMs);
  }

  lane(topic: string, partition: number): ProducerLane {
    const key = `${partition} ${topic}`;
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = new ProducerLane(topic, partition, this.settings.inFlightMax);
      this.lanes.set(key, lane);
    }
    this.busy.add(lane);
    return lane;
  }

  batches(): ProducerBatch[] {
    return [...this.busy].flatMap((lane) => lane.batches());
  }

  /** Looks for something to do as soon as the caller is done. */
  schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      this.pump();
    });
  }

  /** Fails everything that is not settled. */
  abandon(error: ClientError): void {
    this.topics.abandon();
    if (this.timer !== null) clearTimeout(this.timer);
    for (const lane of this.busy) {
      for (const batch of lane.batches()) this.fail(lane, batch, error);
      lane.expired(Infinity);
    }
    this.busy.clear();
  }

  /** Learns a topic, unless that is under way, and goes on. */
  refresh(topic: string): void {
    this.topics
      .learn(topic)
      ?.then(
        () => this.onTopic(topic, null),
        (error: unknown) => {
          for (const lane of this.busy) if (lane.topic === topic) this.failQueued(lane, error);
          this.onTopic(topic, error);
        },
      )
      .finally(() => this.schedule());
  }

  private pump(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const now = performance.now();
    this.expire(now);
    if (this.busy.size === 0) return;
    let wakeMs = now + IDLE_LOOK_MS;
    const { idempotent } = this.settings;
    if (idempotent && this.identity.isBroken) this.identity.startOver([...this.lanes.values()]);
    if (idempotent && this.identity.current === null) {
      this.identity.ask((error) => this.onIdentity(error));
    } else {
      const due = new Map<number, ProducerLane[]>();
      for (const lane of this.busy) wakeMs = Math.min(wakeMs, this.look(lane, now, due));
      for (const [brokerId, lanes] of due) this.sendTo(brokerId, lanes, now);
    }
    if (this.busy.size === 0) return;
    this.timer = setTimeout(() => this.pump(), Math.max(1, wakeMs - performance.now()));
  }

  /** Adds a lane to what is due at its leader; gives the time at which to look again. */
  private look(lane: ProducerLane, now: number, due: Map<number, ProducerLane[]>): number {
    if (lane.isIdle) {
      this.busy.delete(lane);
      return Infinity;
    }
    const batch = lane.head();
    if (batch === undefined || (this.identity.isBroken && batch.identity === null)) return Infinity;
    const lingers = !this.isHurried && !batch.isFull && batch.attempts === 0;
    const readyMs = lingers ? batch.createdMs + this.settings.lingerMs : 0;
    const waitMs = Math.max(readyMs, lane.notBeforeMs);
    if (waitMs > now) return waitMs;
    const leaderId = this.leaderOf(lane);
    if (leaderId < 0) return Infinity;
    const lanes = due.get(leaderId);
    if (lanes === undefined) due.set(leaderId, [lane]);
    else lanes.push(lane);
    return Infinity;
  }

  private leaderOf(lane: ProducerLane): number {
    const topic = this.cluster.knownTopic(lane.topic);
    const leaderId = topic?.partitions[lane.partition]?.leaderId ?? -1;
    if (leaderId >= 0) return leaderId;
    if (topic === undefined) this.refresh(lane.topic);
    else lane.notBeforeMs = performance.now() + backoffMs(3);
    this.cluster.forget(lane.topic);
    return -1;
  }

  private sendTo(brokerId: number, lanes: ProducerLane[], now: number): void {
    let link = this.links.get(brokerId);
    if (link === undefined) {
      link = new ProducerLink();
      this.links.set(brokerId, link);
    }
    const { connection } = link;
    if (connection === null || !connection.isOpen) {
      if (!link.isConnecting && link.notBeforeMs <= now) this.connect(brokerId, link, lanes);
      return;
    }
    let at = 0;
    while (at < lanes.length && link.requests < REQUESTS_MAX) {
      const parcels: Parcel[] = [];
      let bytes = 0;
      for (; at < lanes.length && bytes < this.settings.requestBytesMax; at += 1) {
        const parcel = this.pack(lanes[at] as ProducerLane);
        if (parcel === null) continue;
        parcels.push(parcel);
        bytes += parcel.bytes.length;
      }
      if (parcels.length > 0) void this.produce(link, connection, parcels);
    }
  }

  private pack(lane: ProducerLane): Parcel | null {
    const batch = lane.head() as ProducerBatch;
    lane.start(this.identity.current);
    try {
      const { codec } = this.settings;
      return { lane, batch, bytes: batch.encode({ codec, codecs }) };
    } catch (error) {
      this.fail(lane, batch, error);
      return null;
    }
  }

  private connect(brokerId: number, link: ProducerLink, lanes: readonly ProducerLane[]): void {
    link.isConnecting = true;
    this.cluster
      .broker(brokerId)
      .then(
        (connection) => {
          link.connection = connection;
          link.failures = 0;
        },
        (error: unknown) => {
          link.failures += 1;
          link.notBeforeMs = performance.now() + backoffMs(link.failures);
          for (const lane of lanes) {
            this.cluster.forget(lane.topic);
            lane.notBeforeMs = link.notBeforeMs;
            const batch = lane.head();
            if (batch !== undefined) batch.lastError = error;
          }
        },
      )
      .finally(() => {
        link.isConnecting = false;
        this.schedule();
      });
  }

  private async produce(
    link: ProducerLink,
    connection: Connection,
    parcels: Parcel[],
  ): Promise<void> {
    link.requests += 1;
    try {
      const { acks, requestTimeoutMs } = this.settings;
      const topics = topicDataOf(this.cluster, parcels);
      const hasIds = topics.every(({ topicId }) => topicId !== ZERO_UUID);
      const versionMax = hasIds ? Infinity : TOPIC_IDS_SINCE - 1;
      const version = connection.versions.pick(produceApi, versionMax);
      const request = { acks, timeoutMs: requestTimeoutMs, topicData: topics };
      if (acks === 0) {
        connection.sendOneWay(produceApi, version, request);
        await connection.flushed();
        for (const { lane, batch } of parcels) this.complete(lane, batch, -1, -1);
      } else {
        const options = { timeoutMs: requestTimeoutMs };
        const response = await connection.send(produceApi, version, request, options);
        const results = resultsOf(response, topics, parcels);
        for (const [index, parcel] of parcels.entries()) this.settle(parcel, results[index]);
      }
    } catch (error) {
      if (error instanceof ClientError && error.code === "TIMED_OUT") connection.close();
      for (const { lane, batch } of parcels) this.failed(lane, batch, error);
    } finally {
      link.requests -= 1;
      this.schedule();
    }
  }

  private settle({ lane, batch }: Parcel, result: PartitionResult | undefined): void {
    const where = `${lane.topic}-${lane.partition}`;
    if (result === undefined) {
      const why = `the broker did not answer for ${where}`;
      this.failed(lane, batch, new ClientError("MALFORMED", why));
    } else if (result.errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
      this.complete(lane, batch, -1, -1);
    } else {
      const error = brokerError(result.errorCode, `produce to ${where}`, result.errorMessage);
      if (error === null) this.complete(lane, batch, result.baseOffset, result.logAppendTimeMs);
      else this.failed(lane, batch, error);
    }
  }

  private complete(lane: ProducerLane, batch: ProducerBatch, offset: number, time: number): void {
    if (batch.isSettled) return;
    lane.complete(batch);
    batch.complete(offset, time);
    this.onSettled(batch);
  }

  private failed(lane: ProducerLane, batch: ProducerBatch, error: unknown): void {
    if (batch.isSettled) return;
    batch.lastError = error;
    if (error instanceof BrokerError && isRetriable(error)) this.cluster.forget(lane.topic);
    const isLate = performance.now() - batch.createdMs >= this.settings.deliveryTimeoutMs;
    const isFinal = !this.settings.retry || isLate;
    if (isFinal || lane.failed(batch, error, this.identity.isBroken) === "failed") {
      this.fail(lane, batch, error);
    }
  }

  /** Gives a batch up. Where it had a number, that number is missing from now on. */
  private fail(lane: ProducerLane, batch: ProducerBatch, error: unknown): void {
    lane.finish(batch);
    if (batch.identity !== null) this.identity.isBroken = true;
    batch.fail(error);
    this.onSettled(batch);
  }

  private expire(now: number): void {
    const { deliveryTimeoutMs } = this.settings;
    for (const lane of this.busy) {
      for (const batch of lane.expired(now - deliveryTimeoutMs)) {
        this.fail(lane, batch, batch.late(deliveryTimeoutMs));
      }
    }
  }

  private onIdentity(error: unknown): void {
    if (error !== null) for (const lane of this.busy) this.failQueued(lane, error);
    this.schedule();
  }

  /** Gives up what is not under way. */
  private failQueued(lane: ProducerLane, error: unknown): void {
    for (const batch of lane.expired(Infinity)) this.fail(lane, batch, error);
  }
}
