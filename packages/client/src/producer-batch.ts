import { BatchBuilder, type BatchOptions, type RecordInput } from "@mantou/protocol";
import { ClientError } from "./errors.ts";
import type { Delivery } from "./messages.ts";

interface Sent {
  readonly timestamp: number;
  resolve(delivery: Delivery): void;
  reject(error: unknown): void;
}

/** The sequence under which a batch went out: kept, so that the broker knows a repetition. */
export interface BatchIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

/** Records for one partition that travel together, and who waits for them. */
export class ProducerBatch {
  /** Monotonic milliseconds. */
  readonly createdMs = performance.now();
  /** Bytes of client memory that this batch is charged with. */
  bytes = 0;
  /** Who waits for it was told. */
  isSettled = false;
  /** Takes no more records. */
  isFull = false;
  attempts = 0;
  identity: BatchIdentity | null = null;
  /** Why the last attempt failed. */
  lastError: unknown = null;
  private readonly builder = new BatchBuilder();
  private readonly sent: Sent[] = [];

  constructor(
    readonly topic: string,
    readonly partition: number,
    /** Its place among the batches of its partition. */
    readonly ordinal: number,
  ) {}

  get recordsCount(): number {
    return this.builder.recordsCount;
  }

  get sizeBytes(): number {
    return this.builder.sizeBytes;
  }

  append(record: RecordInput, bytes: number, sent: Sent): void {
    this.builder.append(record);
    this.bytes += bytes;
    this.sent.push(sent);
  }

  encode(options: BatchOptions): Uint8Array {
    return this.builder.build({ ...options, ...this.identity });
  }

  /** @param appendTimestamp -1: the records keep their own. */
  complete(baseOffset: number, appendTimestamp: number): void {
    this.isSettled = true;
    const { topic, partition } = this;
    for (const [index, { timestamp, resolve }] of this.sent.entries()) {
      resolve({
        topic,
        partition,
        offset: baseOffset < 0 ? -1 : baseOffset + index,
        timestamp: appendTimestamp < 0 ? timestamp : appendTimestamp,
      });
    }
  }

  /** The error of a batch that has waited for too long: why the last attempt failed. */
  late(deliveryTimeoutMs: number): ClientError {
    const cause = this.lastError;
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    const what = `${this.recordsCount} records for ${this.topic}-${this.partition}`;
    const message = `${what} were not delivered within ${deliveryTimeoutMs} ms${why}`;
    return new ClientError("TIMED_OUT", message, { cause });
  }

  fail(error: unknown): void {
    this.isSettled = true;
    for (const { reject } of this.sent) reject(error);
  }
}
