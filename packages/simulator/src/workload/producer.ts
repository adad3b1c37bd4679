import { ErrorCode, encodeBatch, errorName, initProducerIdApi, produceApi } from "@mantou/protocol";
import { Actor } from "../actor.ts";
import type { ClientConnection } from "../clients/connection.ts";
import { NoAnswer } from "../clients/connection.ts";
import type { Batch, Lane, Verdict } from "../clients/producing.ts";
import {
  acknowledge,
  IN_FLIGHT_MAX,
  learnOffsets,
  recordsOf,
  verdictOf,
} from "../clients/producing.ts";
import type { Send } from "../history.ts";
import { newSend, whereOf } from "../history.ts";

const PRODUCE_VERSION_MIN = 3;
const PRODUCE_VERSION_MAX = 13;
const LANES_PER_ROUND = 3;

/** Errors after which the same batch is sent again. */
const RETRIABLE = new Set<number>([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
]);

/**
 * An idempotent producer as Kafka's clients are: up to five batches of a partition under way, each
 * sent again, in order, until it is acknowledged. Now and then it sends an acknowledged one again.
 */
export class IdempotentProducer extends Actor {
  readonly isWriter = true;
  private producerId = -1;
  private producerEpoch = -1;
  private readonly lanes: Lane[] = [];
  private delivering: Lane[] = [];

  override describe(): string {
    const open = this.delivering.map((lane) => `${lane.topic.name}-${lane.partition}`);
    return `${this.name} (delivering to ${open.join(", ")})`;
  }

  protected async run(): Promise<void> {
    this.chooseLanes();
    await this.identify();
    while (this.isBusy) {
      const lanes = this.pickLanes();
      for (const lane of lanes) this.fill(lane);
      await this.deliver(lanes);
      if (this.prng.chance(1, 6)) await this.repeat(lanes[0] as Lane);
      await this.pause(5, 160);
    }
  }

  private chooseLanes(): void {
    for (const topic of this.world.standing.values()) {
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        const where = whereOf(topic.topicId, partition);
        this.lanes.push({
          topic,
          partition,
          where,
          sequence: 0,
          count: 0,
          pending: [],
          isGivenUp: false,
          recent: [],
        });
      }
    }
  }

  private pickLanes(): Lane[] {
    const count = this.prng.between(1, LANES_PER_ROUND);
    const picked = new Set<Lane>();
    for (let index = 0; index < count; index += 1) picked.add(this.prng.pick(this.lanes));
    return [...picked];
  }

  private async identify(): Promise<void> {
    for (;;) {
      try {
        const connection = await this.connected();
        const given = await connection.ask(initProducerIdApi, this.prng.between(0, 5), {
          transactionalId: null,
          transactionTimeoutMs: 60_000,
        });
        if (given.errorCode === ErrorCode.NONE) {
          this.producerId = given.producerId;
          this.producerEpoch = given.producerEpoch;
          return;
        }
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
      }
      await this.pause();
    }
  }

  private fill(lane: Lane): void {
    const count = this.prng.chance(1, 3) ? this.prng.between(2, IN_FLIGHT_MAX) : 1;
    for (let index = 0; index < count; index += 1) lane.pending.push(this.batch(lane));
  }

  private batch(lane: Lane): Batch {
    const sends: Send[] = [];
    const size = this.prng.between(1, 4);
    for (let index = 0; index < size; index += 1) {
      const send = newSend({
        value: `v${this.world.nextValue()}`,
        key: lane.topic.isCompacted ? `k${this.prng.below(12)}` : null,
        where: lane.where,
        by: this.name,
        order: lane.count++,
      });
      sends.push(send);
      this.world.history.sends.push(send);
    }
    const bytes = encodeBatch(recordsOf(sends, this.world.time.clock.wallMs()), {
      producerId: this.producerId,
      producerEpoch: this.producerEpoch,
      baseSequence: lane.sequence,
    });
    lane.sequence += size;
    return { bytes, sends, offset: null };
  }

  /** Sends what is pending until all of it is acknowledged. */
  private async deliver(lanes: readonly Lane[]): Promise<void> {
    this.delivering = [...lanes];
    for (;;) {
      const open = lanes.filter((lane) => lane.pending.length > 0);
      if (open.length === 0) return;
      this.delivering = open;
      const connection = await this.connected();
      const depth = Math.max(...open.map((lane) => lane.pending.length));
      const flights: Promise<Map<Batch, Verdict>>[] = [];
      for (let index = 0; index < depth; index += 1) {
        const batches = open.flatMap((lane) => {
          const batch = lane.pending[index];
          return batch === undefined ? [] : [{ lane, batch }];
        });
        flights.push(this.send(connection, batches));
      }
      const verdicts = new Map<Batch, Verdict>();
      for (const flight of flights) {
        for (const [batch, verdict] of await flight) verdicts.set(batch, verdict);
      }
      for (const lane of open) this.settle(lane, verdicts);
      if (open.some((lane) => lane.pending.length > 0)) await this.pause();
    }
  }

  private async send(
    connection: ClientConnection,
    batches: readonly { readonly lane: Lane; readonly batch: Batch }[],
  ): Promise<Map<Batch, Verdict>> {
    const version = this.prng.between(PRODUCE_VERSION_MIN, PRODUCE_VERSION_MAX);
    const verdicts = new Map<Batch, Verdict>();
    const topicData = batches.map(({ lane, batch }) => ({
      name: lane.topic.name,
      topicId: lane.topic.topicId,
      partitionData: [{ index: lane.partition, records: batch.bytes }],
    }));
    try {
      const request = { transactionalId: null, acks: -1, timeoutMs: 5_000, topicData };
      const { responses } = await connection.ask(produceApi, version, request);
      for (const { lane, batch } of batches) {
        const verdict = verdictOf(responses, lane, version);
        if (verdict === null) this.world.defect(`${this.name}: no verdict on ${lane.where}`);
        else verdicts.set(batch, verdict);
      }
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
    }
    return verdicts;
  }

  /** Takes from a lane what was acknowledged. What follows something lost waits for it. */
  private settle(lane: Lane, verdicts: ReadonlyMap<Batch, Verdict>): void {
    const left: Batch[] = [];
    for (const batch of lane.pending) {
      const verdict = verdicts.get(batch);
      if (verdict === undefined) left.push(batch);
      else if (lane.isGivenUp) break;
      else if (this.isAcked(lane, batch, verdict, left.length === 0)) acknowledge(lane, batch);
      else left.push(batch);
    }
    lane.pending = lane.isGivenUp ? [] : left;
  }

  private isAcked(lane: Lane, batch: Batch, verdict: Verdict, isFirst: boolean): boolean {
    const { errorCode, offset } = verdict;
    if (errorCode === ErrorCode.NONE) {
      learnOffsets(batch, offset);
      return true;
    }
    if (errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
      for (const send of batch.sends) send.outcome = "acked";
      return true;
    }
    if (isFirst && this.isForgotten(lane, errorCode)) {
      // What became of it nobody will say. The lane is given up with everything behind it.
      this.lanes.splice(this.lanes.indexOf(lane), 1);
      lane.isGivenUp = true;
      return true;
    }
    const waitsForAnother = errorCode === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && !isFirst;
    if (!RETRIABLE.has(errorCode) && !waitsForAnother) {
      const where = this.world.history.say(lane.where);
      this.world.defect(`${this.name}: ${errorName(errorCode)} for its next batch of ${where}`);
    }
    return false;
  }

  /** Batches that were deleted or compacted are not remembered after a restart, as in Kafka. */
  private isForgotten(lane: Lane, errorCode: number): boolean {
    const { trims } = this.world.history;
    if (errorCode !== ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) return false;
    return lane.topic.isCompacted || trims.some((trim) => trim.where === lane.where);
  }

  /** A retry whose first answer did arrive: it must be known, and change nothing. */
  private async repeat(lane: Lane): Promise<void> {
    const batch = lane.recent.length === 0 ? undefined : this.prng.pick(lane.recent);
    if (batch === undefined) return;
    const connection = await this.connected();
    const verdict = (await this.send(connection, [{ lane, batch }])).get(batch);
    if (verdict === undefined || RETRIABLE.has(verdict.errorCode)) return;
    if (verdict.errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) return;
    if (this.isForgotten(lane, verdict.errorCode)) return;
    if (verdict.errorCode === ErrorCode.NONE) {
      if (verdict.offset === -1 || batch.offset === null || verdict.offset === batch.offset) return;
      this.world.defect(
        `${this.name}: a duplicate of the batch at ${batch.offset} was put at ${verdict.offset}`,
      );
      return;
    }
    this.world.defect(
      `${this.name}: ${errorName(verdict.errorCode)} for a duplicate ` +
        `of ${this.world.history.say(lane.where)} at ${batch.offset}`,
    );
  }
}
