import type { Client, Delivery, Message, ProducerOptions } from "@mantou/client";
import { Failure } from "./failure.ts";
import { plural } from "./humane.ts";
import type { Values } from "./values.ts";

/** Records that may be under way. */
const OUTSTANDING_MAX = 20_000;
const OUTSTANDING_BYTES_MAX = 24 * 1024 * 1024;

export interface SendCounts {
  readonly records: number;
  readonly failed: number;
  readonly bytes: number;
  /** By "topic partition". */
  readonly places: {
    readonly topic: string;
    readonly partition: number;
    readonly records: number;
    readonly lastOffset: number;
  }[];
}

/** Producer options of `--acks`, `--codec` and `-X`. */
export function producerOptions(values: Values, base: ProducerOptions): ProducerOptions {
  const given = values.text("acks");
  const acks =
    given === null
      ? base.acks
      : given === "all" || given === "-1"
        ? "all"
        : (Number(given) as 0 | 1);
  const codec = (values.text("codec") ?? base.codec ?? "none") as NonNullable<
    ProducerOptions["codec"]
  >;
  const isAll = (acks ?? "all") === "all";
  return {
    // With acks=all, repetitions after a lost answer must not double records.
    idempotent: isAll,
    ...base,
    codec,
    ...(acks === undefined ? {} : { acks }),
    ...(isAll ? {} : { idempotent: false }),
  };
}

/** Sends messages with a bound on what is under way, and counts what became of them. */
export class RecordSender {
  private readonly producer;
  private readonly places = new Map<
    string,
    { topic: string; partition: number; records: number; lastOffset: number }
  >();
  private outstanding = 0;
  private sent = 0;
  private bytes = 0;
  private failedCount = 0;
  private firstError: unknown = null;
  private wake: () => void = () => {};

  constructor(
    client: Client,
    options: ProducerOptions,
    private readonly onDelivery: (delivery: Delivery) => void = () => {},
  ) {
    this.producer = client.producer(options);
  }

  get error(): unknown {
    return this.firstError;
  }

  get delivered(): number {
    return this.sent;
  }

  /** Resolves when there is room for more. Throws the first error of any record before. */
  async send(message: Message): Promise<void> {
    if (this.firstError !== null) throw this.firstError;
    this.outstanding += 1;
    const size = (message.value?.length ?? 0) + (message.key?.length ?? 0);
    this.producer.send(message).then(
      (delivery) => {
        this.sent += 1;
        this.bytes += size;
        this.count(delivery);
        this.settled();
      },
      (error: unknown) => {
        this.failedCount += 1;
        this.firstError ??= error;
        this.settled();
      },
    );
    while (
      this.outstanding >= OUTSTANDING_MAX ||
      this.producer.bytesBuffered >= OUTSTANDING_BYTES_MAX
    ) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Waits until everything is settled. */
  async finish(): Promise<SendCounts> {
    await this.producer.close();
    const places = [...this.places.values()].sort((a, b) =>
      a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition,
    );
    return { records: this.sent, failed: this.failedCount, bytes: this.bytes, places };
  }

  /** The failure to end with, where any record was not taken. */
  failure(explained: Failure): Failure {
    const { sent, failedCount } = this;
    const message = `${plural(failedCount, "record")} not taken, ${sent} taken: ${explained.message}`;
    const { hint, exitCode } = explained;
    return new Failure(explained.code, message, { hint, exitCode });
  }

  private count(delivery: Delivery): void {
    const { topic, partition, offset } = delivery;
    const key = `${partition} ${topic}`;
    const place = this.places.get(key);
    if (place === undefined)
      this.places.set(key, { topic, partition, records: 1, lastOffset: offset });
    else {
      place.records += 1;
      place.lastOffset = Math.max(place.lastOffset, offset);
    }
    this.onDelivery(delivery);
  }

  private settled(): void {
    this.outstanding -= 1;
    this.wake();
  }
}
