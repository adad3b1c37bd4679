import type { RecordInput } from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import { ClientError } from "./errors.ts";
import { type Delivery, type Message, recordBytes, recordOf } from "./messages.ts";
import { partitionForKey } from "./partitioner.ts";
import {
  producerSettings,
  type ProducerOptions,
  type ProducerSettings,
} from "./producer-options.ts";
import { ProducerSender } from "./producer-sender.ts";

/** A record on its way into a batch. */
interface Entry {
  readonly message: Message;
  readonly record: RecordInput & { readonly timestamp: number };
  readonly bytes: number;
  readonly enteredMs: number;
  resolve(delivery: Delivery): void;
  reject(error: unknown): void;
}

/** Sends records in batches. Records of one partition arrive in the order of the calls. */
export class Producer {
  private readonly settings: ProducerSettings;
  private readonly sender: ProducerSender;
  /** Per topic, what waits for its metadata or for room, in order. */
  private readonly waiting = new Map<string, Entry[]>();
  /** Per topic, the partition that takes records without a key for now. */
  private readonly sticky = new Map<string, number>();
  private waitingCount = 0;
  private bufferedBytes = 0;
  private pending = 0;
  private flushes: (() => void)[] = [];
  private isClosed = false;

  constructor(
    private readonly cluster: Cluster,
    options: ProducerOptions = {},
  ) {
    this.settings = producerSettings(options);
    this.sender = new ProducerSender(
      cluster,
      this.settings,
      (batch) => this.onSettled(batch.bytes, batch.recordsCount),
      (topic, error) => {
        if (error === null) this.admitWaiting();
        else this.failWaiting(topic, error);
      },
    );
  }

  /** Bytes of records that are not settled. */
  get bytesBuffered(): number {
    return this.bufferedBytes;
  }

  /** Sends one record; resolves when the broker has answered for it. Rejects with ClientError. */
  send(message: Message): Promise<Delivery> {
    if (this.isClosed) return Promise.reject(new ClientError("USAGE", "the producer is closed"));
    return new Promise((resolve, reject) => {
      const record = recordOf(message);
      const enteredMs = performance.now();
      const bytes = recordBytes(record);
      const entry: Entry = { message, record, bytes, enteredMs, resolve, reject };
      const queue = this.waiting.get(message.topic);
      if (queue === undefined && this.admit(entry)) return;
      if (this.waitingCount >= this.settings.waitingMax) {
        reject(new ClientError("OVERLOADED", `${this.waitingCount} records wait for room`));
        return;
      }
      this.pending += 1;
      this.waitingCount += 1;
      if (queue === undefined) this.waiting.set(message.topic, [entry]);
      else queue.push(entry);
    });
  }

  /** Sends several records; resolves with all of their deliveries, in order. */
  sendAll(messages: readonly Message[]): Promise<Delivery[]> {
    return Promise.all(messages.map((message) => this.send(message)));
  }

  /** Sends what lingers and waits until everything sent so far is settled, well or not. */
  async flush(): Promise<void> {
    if (this.pending === 0) return;
    this.sender.isHurried = true;
    this.sender.schedule();
    await new Promise<void>((resolve) => {
      this.flushes.push(resolve);
    });
  }

  /** Flushes and takes no more. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.flush();
  }

  /** Takes no more and fails what is not settled. */
  abort(): void {
    this.isClosed = true;
    const error = new ClientError("CLOSED", "the producer was closed before the broker answered");
    for (const topic of this.waiting.keys()) this.failWaiting(topic, error);
    this.sender.abandon(error);
  }

  /** Puts a record into a batch; false where its topic is unknown yet or there is no room. */
  private admit(entry: Entry): boolean {
    const { topic } = entry.message;
    const known = this.cluster.knownTopic(topic);
    if (known === undefined) {
      this.sender.refresh(topic);
      return false;
    }
    const full = this.bufferedBytes + entry.bytes > this.settings.bufferBytesMax;
    if (full && this.bufferedBytes > 0) return false;
    const { message, record } = entry;
    const partition = this.partitionOf(message, record.key ?? null, known.partitions.length);
    if (partition < 0 || partition >= known.partitions.length) {
      const what = `${topic}-${partition} (the topic has ${known.partitions.length} partitions)`;
      entry.reject(new ClientError("USAGE", `no partition ${what}`));
      return true;
    }
    const lane = this.sender.lane(topic, partition);
    let batch = lane.open;
    if (batch !== undefined && batch.sizeBytes + entry.bytes > this.settings.batchBytes) {
      batch.isFull = true;
      batch = undefined;
    }
    batch ??= lane.add();
    this.pending += 1;
    this.bufferedBytes += entry.bytes;
    const { resolve, reject } = entry;
    batch.append(record, entry.bytes, { timestamp: record.timestamp, resolve, reject });
    if (batch.sizeBytes >= this.settings.batchBytes) batch.isFull = true;
    this.sender.schedule();
    return true;
  }

  private partitionOf(message: Message, key: Uint8Array | null, partitions: number): number {
    if (message.partition !== undefined) return message.partition;
    if (key !== null) return partitionForKey(key, partitions);
    // One batch fills before the next partition's turn: spread out, and still in batches.
    const current = this.sticky.get(message.topic);
    const isOpen =
      current !== undefined &&
      current < partitions &&
      this.sender.lane(message.topic, current).open !== undefined;
    if (isOpen) return current;
    const first = Math.floor(Math.random() * partitions);
    const next = current === undefined ? first : (current + 1) % partitions;
    this.sticky.set(message.topic, next);
    return next;
  }

  private onSettled(bytes: number, records: number): void {
    this.bufferedBytes -= bytes;
    this.settledRecords(records);
    this.admitWaiting();
  }

  private settledRecords(records: number): void {
    this.pending -= records;
    if (this.pending > 0) return;
    this.sender.isHurried = false;
    for (const resolve of this.flushes.splice(0)) resolve();
  }

  private admitWaiting(): void {
    for (const [topic, queue] of this.waiting) {
      let admitted = 0;
      for (const entry of queue) {
        if (!this.admit(entry)) break;
        admitted += 1;
      }
      queue.splice(0, admitted);
      if (queue.length === 0) this.waiting.delete(topic);
      this.waitingCount -= admitted;
      this.settledRecords(admitted);
    }
  }

  private failWaiting(topic: string, error: unknown): void {
    const queue = this.waiting.get(topic) ?? [];
    this.waiting.delete(topic);
    this.waitingCount -= queue.length;
    for (const entry of queue) entry.reject(error);
    this.settledRecords(queue.length);
  }
}
