import type { CoordinatorEffects } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { CoordinatorDriverParts } from "./coordinator-kind.ts";
import { batchesOf } from "./record-batches.ts";
import type { PendingWrite, RawBatch, ShardSlot } from "./shard-slot.ts";

export interface ShardOutputParts<Command, Reply, Request> {
  readonly topic: string;
  readonly driver: CoordinatorDriverParts;
  readonly reply: (ticket: number, reply: Reply | null) => void;
  readonly request: (request: Request, partition: number) => void;
  /** A write failed: what the shard decided since is not so. */
  readonly failed: (slot: ShardSlot<Command, Reply, Request>) => void;
  /** A write can never succeed, while the log is sound. */
  readonly impossible: (slot: ShardSlot<Command, Reply, Request>) => void;
}

/**
 * What shards have decided, on its way out: the writes of a tick become batches, and replies and
 * requests go once everything that their shard wrote before is durable.
 */
export class ShardOutput<Command, Reply, Request> {
  /** Batches that were made, ever. */
  batches = 0;
  /** Shards with writes that are not handed on yet. */
  private dirty: ShardSlot<Command, Reply, Request>[] = [];
  private requests: { readonly partition: number; readonly request: Request }[] = [];

  constructor(private readonly parts: ShardOutputParts<Command, Reply, Request>) {}

  /** Takes what a step has decided, but for its timers. */
  take(
    slot: ShardSlot<Command, Reply, Request>,
    effects: CoordinatorEffects<Command, Reply, Request>,
  ): void {
    if (effects.writes.length > 0) this.write(slot, effects.writes);
    const waits = slot.horizon > slot.durable;
    for (const request of effects.requests) {
      if (waits) slot.wait({ request });
      else this.requests.push({ partition: slot.partition, request });
    }
    for (const answered of effects.replies) {
      if (waits) slot.wait(answered);
      else this.parts.reply(answered.ticket, answered.reply);
    }
    if (this.requests.length > 0 || this.dirty.length > 0) this.parts.driver.flushSoon();
  }

  /** A batch that is finished already; `ticket` is answered when it is committed. */
  takeBatch(slot: ShardSlot<Command, Reply, Request>, batch: RawBatch, ticket: number): void {
    this.write(slot, [batch]);
    slot.wait({ ticket, reply: null });
    this.parts.driver.flushSoon();
  }

  /** Ends the tick: writes become batches, requests are carried out. True: there was something. */
  flush(): boolean {
    const { dirty, requests } = this;
    if (requests.length === 0 && dirty.length === 0) return false;
    this.requests = [];
    this.dirty = [];
    for (const slot of dirty) this.hand(slot);
    for (const { partition, request } of requests) this.parts.request(request, partition);
    return true;
  }

  private write(slot: ShardSlot<Command, Reply, Request>, writes: readonly PendingWrite[]): void {
    if (slot.pending.length === 0) this.dirty.push(slot);
    for (const write of writes) slot.pending.push(write);
  }

  /** Makes batches of what a shard has written since the last flush and queues them. */
  private hand(slot: ShardSlot<Command, Reply, Request>): void {
    if (slot.state === "dropped") return;
    const { ambient, limitsOf } = this.parts.driver;
    const { maxMessageBytes, segmentBytes } = limitsOf(slot.logId);
    const batches = batchesOf(slot.pending, ambient.clock.wallMs(), maxMessageBytes, segmentBytes);
    slot.pending = [];
    slot.issued += 1;
    if (batches === null) {
      const { topic } = this.parts;
      const { partition } = slot;
      ambient.logger.error("coordinator_write_too_large", { topic, partition, segmentBytes });
      this.parts.impossible(slot);
      return;
    }
    const number = slot.issued;
    this.batches += batches.length;
    if (batches.length === 0) this.durable(slot, number);
    for (const [index, batch] of batches.entries()) {
      this.append(slot, batch, index === batches.length - 1 ? number : null);
    }
  }

  /** @param number of the flush that is over with this batch; null: more batches follow. */
  private append(
    slot: ShardSlot<Command, Reply, Request>,
    { assigned, bytes, offsets, transaction }: RawBatch,
    number: number | null,
  ): void {
    const { transactionWritten, writer } = this.parts.driver;
    writer.append(slot.logId, bytes, offsets, {
      assigned: (baseOffset) => {
        assigned?.(baseOffset);
        if (transaction !== undefined && transaction !== null) {
          transactionWritten(slot.logId, transaction, baseOffset);
        }
      },
      settled: (errorCode) => {
        if (errorCode !== ErrorCode.NONE) this.parts.failed(slot);
        else if (number !== null) this.durable(slot, number);
      },
    });
  }

  /** The flush of that number is on disk: whatever rests on it may go. */
  private durable(slot: ShardSlot<Command, Reply, Request>, number: number): void {
    if (slot.state === "dropped") return;
    slot.durable = number;
    for (let ready = slot.takeReady(); ready !== null; ready = slot.takeReady()) {
      if ("ticket" in ready) this.parts.reply(ready.ticket, ready.reply);
      else this.requests.push({ partition: slot.partition, request: ready.request });
    }
    if (this.requests.length > 0) this.parts.driver.flushSoon();
  }
}
