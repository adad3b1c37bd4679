import { ErrorCode } from "@mantou/protocol";
import { BrokerError, isRetriable } from "./errors.ts";
import { ProducerBatch } from "./producer-batch.ts";
import { backoffMs } from "./retry.ts";

/** What became of a batch after a failed attempt. */
export type AfterFailure = "retry" | "renumber" | "failed";

/**
 * The batches of one partition, in their order. They leave the queue from its head; one that has
 * to be repeated goes back in front of everything that was not sent, and nothing is sent while
 * later ones are still under way, so records never overtake each other.
 */
export class ProducerLane {
  private readonly queue: ProducerBatch[] = [];
  private readonly inFlight: ProducerBatch[] = [];
  private readonly repeated: ProducerBatch[] = [];
  private nextSequence = 0;
  private nextOrdinal = 0;
  /** The partition has taken a batch under the current producer id. */
  private isEstablished = false;
  /** Nothing is sent before this monotonic time, in milliseconds. */
  notBeforeMs = 0;

  constructor(
    readonly topic: string,
    readonly partition: number,
    private readonly inFlightMax: number,
  ) {}

  /** The batch that takes records, if there is one. */
  get open(): ProducerBatch | undefined {
    const last = this.queue.at(-1);
    return last === undefined || last.isFull || last.attempts > 0 ? undefined : last;
  }

  add(): ProducerBatch {
    const batch = new ProducerBatch(this.topic, this.partition, this.nextOrdinal);
    this.nextOrdinal += 1;
    this.queue.push(batch);
    return batch;
  }

  get isIdle(): boolean {
    return this.queue.length + this.inFlight.length + this.repeated.length === 0;
  }

  /** Whether batches with sequence numbers are unsettled. */
  get hasNumbered(): boolean {
    return this.batches().some((batch) => batch.identity !== null);
  }

  batches(): ProducerBatch[] {
    return [...this.inFlight, ...this.repeated, ...this.queue];
  }

  /** The batch that may be sent now, if the order allows one. */
  head(): ProducerBatch | undefined {
    if (this.repeated.length > 0) {
      if (this.inFlight.length > 0) return undefined;
      this.queue.unshift(...this.repeated.splice(0));
    }
    // A leader takes any number as the first of a producer that it does not know: a later batch
    // must not get there while an earlier one may have to be repeated.
    const inFlightMax = this.isEstablished ? this.inFlightMax : 1;
    return this.inFlight.length >= inFlightMax ? undefined : this.queue[0];
  }

  /** Moves the head under way; with a producer id, under its sequence number. */
  start(producer: { readonly id: number; readonly epoch: number } | null): void {
    const batch = this.queue.shift() as ProducerBatch;
    batch.isFull = true;
    batch.attempts += 1;
    this.inFlight.push(batch);
    if (producer === null || batch.identity !== null) return;
    const { id, epoch } = producer;
    batch.identity = { producerId: id, producerEpoch: epoch, baseSequence: this.nextSequence };
    this.nextSequence = (this.nextSequence + batch.recordsCount) % 0x8000_0000;
  }

  /** The batch was taken. */
  complete(batch: ProducerBatch): void {
    this.isEstablished = batch.identity !== null;
    this.finish(batch);
  }

  /** The batch is no longer under way. */
  finish(batch: ProducerBatch): void {
    const at = this.inFlight.indexOf(batch);
    if (at >= 0) this.inFlight.splice(at, 1);
  }

  /**
   * Takes a batch back after a failure, where that helps.
   * @param isBroken a number is missing before this batch, for good: it gets a new one.
   */
  failed(batch: ProducerBatch, error: unknown, isBroken: boolean): AfterFailure {
    const at = this.inFlight.indexOf(batch);
    const hasEarlier = at > 0 || this.repeated.length > 0;
    this.finish(batch);
    const isOutOfOrder =
      error instanceof BrokerError && error.errorCode === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER;
    // A batch behind one that failed is out of order: it was not taken, and follows that one again.
    if (isOutOfOrder && !hasEarlier && !isBroken) return "failed";
    if (!isOutOfOrder && !isRetriable(error)) return "failed";
    if (!isOutOfOrder) this.notBeforeMs = performance.now() + backoffMs(batch.attempts);
    const renumber = isOutOfOrder && !hasEarlier;
    if (renumber) batch.identity = null;
    this.repeated.push(batch);
    this.repeated.sort((a, b) => a.ordinal - b.ordinal);
    return renumber ? "renumber" : "retry";
  }

  /** Takes out what has waited since before `createdMs`, unless it is under way. */
  expired(createdMs: number): ProducerBatch[] {
    const out: ProducerBatch[] = [];
    for (const list of [this.repeated, this.queue]) {
      while ((list[0]?.createdMs ?? Infinity) < createdMs) out.push(list.shift() as ProducerBatch);
    }
    return out;
  }

  /** Numbers start at 0 again, with a new producer id. */
  resetSequence(): void {
    this.nextSequence = 0;
    this.isEstablished = false;
  }
}
