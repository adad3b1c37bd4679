import { INFLATED_BYTES_MAX } from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import { ConsumerFetcher } from "./consumer-fetcher.ts";
import { type ConsumedRecord, ConsumerPartition, type StartSpec } from "./consumer-partition.ts";
import { ClientError } from "./errors.ts";
import type { Isolation } from "./list-offsets.ts";

export interface ConsumerOptions {
  /** "read_uncommitted" when absent. */
  readonly isolation?: Isolation;
  /** How long a broker may wait for data, in milliseconds; 500 when absent. */
  readonly maxWaitMs?: number;
  /** Bytes that are worth an answer; 1 when absent. */
  readonly minBytes?: number;
  /** Largest answer of one broker in bytes (one batch may exceed it); 16 MiB when absent. */
  readonly fetchBytesMax?: number;
  /** Largest part of one partition in bytes (one batch may exceed it); 1 MiB when absent. */
  readonly partitionBytesMax?: number;
  /** Where to go on from an offset that is not there; "none" (an error) when absent. */
  readonly offsetReset?: "earliest" | "latest" | "none";
  /** True when absent. */
  readonly checkCrc?: boolean;
  /** Largest inflated size of one batch in bytes; 128 MiB when absent. */
  readonly inflatedBytesMax?: number;
  /** How long an answer may take beyond `maxWaitMs`, in milliseconds; 30,000 when absent. */
  readonly requestTimeoutMs?: number;
}

export type ConsumerSettings = Required<ConsumerOptions>;

export interface Assignment {
  readonly topic: string;
  readonly partition: number;
  /** "earliest" when absent. */
  readonly from?: StartSpec;
}

export interface PollOptions {
  /** How long to wait for the first record, in milliseconds; 1,000 when absent. */
  readonly timeoutMs?: number;
  readonly recordsMax?: number;
}

/** Reads partitions that the caller names; no group, no commits. */
export class Consumer {
  private readonly partitions = new Map<string, ConsumerPartition>();
  private readonly fetcher: ConsumerFetcher;
  private readonly failures: unknown[] = [];
  private wake: () => void = () => {};
  private isClosed = false;

  constructor(cluster: Cluster, options: ConsumerOptions = {}) {
    const settings: ConsumerSettings = {
      isolation: options.isolation ?? "read_uncommitted",
      maxWaitMs: options.maxWaitMs ?? 500,
      minBytes: options.minBytes ?? 1,
      fetchBytesMax: options.fetchBytesMax ?? 16 * 1024 * 1024,
      partitionBytesMax: options.partitionBytesMax ?? 1024 * 1024,
      offsetReset: options.offsetReset ?? "none",
      checkCrc: options.checkCrc ?? true,
      inflatedBytesMax: options.inflatedBytesMax ?? INFLATED_BYTES_MAX,
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    };
    this.fetcher = new ConsumerFetcher(
      cluster,
      settings,
      () => this.wake(),
      (error) => this.failures.push(error),
    );
  }

  /** Reads these partitions from now on, and no others. */
  assign(assignments: readonly Assignment[]): void {
    for (const state of this.partitions.values()) state.seek(0);
    this.partitions.clear();
    for (const { topic, partition, from } of assignments) {
      const state = new ConsumerPartition(topic, partition, from ?? "earliest");
      this.partitions.set(`${partition} ${topic}`, state);
    }
  }

  /** Goes on reading an assigned partition from another place. */
  seek(topic: string, partition: number, to: StartSpec): void {
    this.state(topic, partition).seek(to);
  }

  /** The offset of the next record that `poll` gives; null until that was looked up. */
  position(topic: string, partition: number): number | null {
    return this.state(topic, partition).nextOffset;
  }

  /** What the last fetch told of a partition; each is -1 before the first. */
  watermarks(topic: string, partition: number) {
    const { highWatermark, lastStableOffset, logStartOffset } = this.state(topic, partition);
    return { highWatermark, lastStableOffset, logStartOffset };
  }

  /**
   * Waits for records and gives those that are there, in offset order per partition; none when
   * the time is up. Throws the error of a partition that cannot be read on; polling again goes on.
   */
  async poll(options: PollOptions = {}): Promise<ConsumedRecord[]> {
    const { timeoutMs = 1000, recordsMax = Infinity } = options;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      if (this.isClosed) throw new ClientError("USAGE", "the consumer is closed");
      if (this.failures.length > 0) throw this.failures.shift();
      const records = this.take(recordsMax);
      const againMs = this.fetcher.start(this.partitions.values());
      const leftMs = deadline - performance.now();
      if (records.length > 0 || leftMs <= 0) return records;
      await this.progress(Math.min(leftMs, againMs));
    }
  }

  /** Polls until there are `count` records. Throws ClientError TIMED_OUT. */
  async read(count: number, timeoutMs = 10_000): Promise<ConsumedRecord[]> {
    const deadline = performance.now() + timeoutMs;
    const records: ConsumedRecord[] = [];
    while (records.length < count) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) {
        const message = `${records.length} of ${count} records came within ${timeoutMs} ms`;
        throw new ClientError("TIMED_OUT", message);
      }
      const polled = await this.poll({ timeoutMs: leftMs, recordsMax: count - records.length });
      // Not spread out as arguments, of which there may be too many.
      for (const record of polled) records.push(record);
    }
    return records;
  }

  /** Records as they come, for ever. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedRecord> {
    while (!this.isClosed) yield* await this.poll();
  }

  close(): void {
    this.isClosed = true;
    this.fetcher.close();
    this.wake();
  }

  private state(topic: string, partition: number): ConsumerPartition {
    const state = this.partitions.get(`${partition} ${topic}`);
    if (state === undefined) {
      throw new ClientError("USAGE", `${topic}-${partition} is not assigned`);
    }
    return state;
  }

  private take(recordsMax: number): ConsumedRecord[] {
    const records: ConsumedRecord[] = [];
    for (const [key, state] of this.partitions) {
      if (records.length >= recordsMax) break;
      if (state.buffered === 0) continue;
      state.take(recordsMax - records.length, records);
      // Whoever was served goes to the back, so that no partition starves another.
      this.partitions.delete(key);
      this.partitions.set(key, state);
    }
    return records;
  }

  private progress(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, ms));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
