import type { CoordinatorRecord, Moment, ReplayedBatch, TransactionMarker } from "@mantou/base";
import { assert } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { AddPartitions } from "./commands.ts";
import type { TransactionEffects } from "./effects.ts";
import { Effects, partitionsReply } from "./effects.ts";
import { fencingEpoch } from "./judge-producer.ts";
import type { TransactionOptions } from "./shard-options.ts";
import { WAITING_MAX } from "./shard-options.ts";
import type { Transaction } from "./transaction.ts";
import {
  EPOCH_MAX,
  EPOCH_USABLE_MAX,
  NO_EPOCH,
  NO_PRODUCER_ID,
  TransactionState,
  copyOf,
  isPrepared,
  listOf,
} from "./transaction.ts";
import {
  decodeTransactionKey,
  decodeTransactionValue,
  encodeTransaction,
  forgetTransaction,
} from "./transaction-record.ts";

const SWEEP = "sweep";
const EXPIRE = "expire";
export const waitTimer = (transactionalId: string): string => `wait/${transactionalId}`;

/**
 * The transactional ids of a shard and what becomes of their transactions by itself: replay,
 * decisions and their markers, completion, timeouts, expiry.
 */
export abstract class TransactionLife {
  protected readonly transactions = new Map<string, Transaction>();
  /** Adds that wait until the transaction before is complete, by ticket. */
  protected readonly waiting = new Map<number, AddPartitions>();
  protected effects = new Effects();
  private isSweepSet = false;
  private isExpireSet = false;

  /** @param coordinatorEpoch the leader epoch of the partition; markers carry it. */
  constructor(
    protected readonly options: TransactionOptions,
    private readonly coordinatorEpoch: number,
  ) {}

  /** The transaction is complete: who waited for that is judged anew. */
  protected abstract readmit(transaction: Transaction, now: Moment): void;

  get size(): number {
    return this.transactions.size;
  }

  /** All transactional ids, for figures. */
  list(): Iterable<Pick<Transaction, "state" | "startMs">> {
    return this.transactions.values();
  }

  replay(record: CoordinatorRecord, _batch: ReplayedBatch): void {
    const transactionalId = decodeTransactionKey(record.key);
    if (transactionalId === null) return;
    if (record.value === null) {
      this.transactions.delete(transactionalId);
      return;
    }
    const transaction = decodeTransactionValue(transactionalId, record.value);
    if (transaction !== null) this.transactions.set(transactionalId, transaction);
  }

  replayMarker(_marker: TransactionMarker): void {
    // Nobody writes to this partition in a transaction.
  }

  loaded(now: Moment): TransactionEffects {
    for (const transaction of this.transactions.values()) {
      if (isPrepared(transaction)) this.sendMarkers(transaction, now);
      else if (transaction.state === TransactionState.ONGOING) this.watch(transaction, now);
    }
    this.armExpiry(now);
    return this.take();
  }

  checkInvariants(): void {
    for (const [transactionalId, transaction] of this.transactions) {
      assert(transaction.transactionalId === transactionalId, "an id stands under its own name");
      assert(transaction.producerEpoch <= EPOCH_MAX, "an epoch is beyond the last one");
      assert(
        isPrepared(transaction) === (transaction.unmarked !== null),
        `${transactionalId}: markers are missing, or asked for without need`,
      );
      assert(
        (transaction.state === TransactionState.ONGOING) ===
          Number.isFinite(transaction.deadlineMs),
        `${transactionalId}: a deadline belongs to an ongoing transaction`,
      );
      assert(
        transaction.state === TransactionState.ONGOING ||
          isPrepared(transaction) ||
          transaction.partitions.size === 0,
        `${transactionalId}: partitions belong to a transaction that is under way`,
      );
      assert(transaction.waiting.length <= WAITING_MAX, "too many wait for one transaction");
      for (const ticket of transaction.waiting) {
        assert(this.waiting.has(ticket), "who waits has asked for something");
      }
    }
  }

  /** The coordinator aborts a transaction against its producer's will, and fences the producer. */
  protected fence(transaction: Transaction, now: Moment): void {
    transaction.lastProducerEpoch = NO_EPOCH;
    this.decide(transaction, false, fencingEpoch(transaction), now);
  }

  /** Commit or abort, once what is written here is durable. */
  protected decide(transaction: Transaction, isCommit: boolean, epoch: number, now: Moment): void {
    transaction.producerEpoch = epoch;
    transaction.deadlineMs = Infinity;
    transaction.state = isCommit ? TransactionState.PREPARE_COMMIT : TransactionState.PREPARE_ABORT;
    if (transaction.partitions.size === 0) {
      // Nothing was written anywhere: decided and complete are one.
      transaction.startMs = now.wallMs;
      this.complete(transaction, now);
      return;
    }
    this.write(transaction, now);
    this.sendMarkers(transaction, now);
  }

  protected sendMarkers(transaction: Transaction, now: Moment): void {
    const { producerEpoch, producerId, transactionalId } = transaction;
    transaction.unmarked = copyOf(transaction.partitions);
    if (transaction.unmarked.size === 0) {
      this.complete(transaction, now);
      return;
    }
    this.effects.request({
      kind: "sendMarkers",
      transactionalId,
      producerId,
      producerEpoch,
      coordinatorEpoch: this.coordinatorEpoch,
      isCommit: transaction.state === TransactionState.PREPARE_COMMIT,
      transactionVersion: transaction.clientVersion >= 2 ? 2 : 0,
      topics: listOf(transaction.partitions),
    });
  }

  protected complete(transaction: Transaction, now: Moment): void {
    const isCommit = transaction.state === TransactionState.PREPARE_COMMIT;
    transaction.state = isCommit
      ? TransactionState.COMPLETE_COMMIT
      : TransactionState.COMPLETE_ABORT;
    transaction.partitions = new Map();
    transaction.unmarked = null;
    if (transaction.nextProducerId !== NO_PRODUCER_ID) {
      transaction.lastProducerEpoch = EPOCH_USABLE_MAX;
      transaction.previousProducerId = transaction.producerId;
      transaction.producerId = transaction.nextProducerId;
      transaction.producerEpoch = 0;
      transaction.nextProducerId = NO_PRODUCER_ID;
    }
    this.write(transaction, now);
    this.readmit(transaction, now);
  }

  /** An ongoing transaction has a time at which it is over. */
  protected watch(transaction: Transaction, now: Moment): void {
    // Counted by the monotonic clock, so that nobody who sets the other one ends transactions.
    const runningMs = Math.max(now.wallMs - transaction.startMs, 0);
    transaction.deadlineMs = now.monotonicMs + Math.max(transaction.timeoutMs - runningMs, 0);
    if (this.isSweepSet) return;
    this.isSweepSet = true;
    const dueMs = now.monotonicMs + this.options.sweepIntervalMs;
    this.effects.setTimer(SWEEP, dueMs, { kind: "sweep" });
  }

  protected sweep(now: Moment): void {
    this.isSweepSet = false;
    let isNeeded = false;
    for (const transaction of this.transactions.values()) {
      if (transaction.state !== TransactionState.ONGOING) continue;
      if (transaction.deadlineMs <= now.monotonicMs) this.fence(transaction, now);
      else isNeeded = true;
    }
    if (!isNeeded) return;
    this.isSweepSet = true;
    const dueMs = now.monotonicMs + this.options.sweepIntervalMs;
    this.effects.setTimer(SWEEP, dueMs, { kind: "sweep" });
  }

  protected armExpiry(now: Moment): void {
    if (this.isExpireSet || this.transactions.size === 0) return;
    this.isExpireSet = true;
    const dueMs = now.monotonicMs + this.options.expireIntervalMs;
    this.effects.setTimer(EXPIRE, dueMs, { kind: "expire" });
  }

  protected expire(now: Moment): void {
    this.isExpireSet = false;
    for (const transaction of this.transactions.values()) {
      const { state, transactionalId, updateMs } = transaction;
      if (state === TransactionState.ONGOING || isPrepared(transaction)) continue;
      if (now.wallMs - updateMs < this.options.idExpirationMs) continue;
      this.transactions.delete(transactionalId);
      this.effects.write(forgetTransaction(transactionalId));
    }
    this.armExpiry(now);
  }

  protected write(transaction: Transaction, now: Moment): void {
    transaction.updateMs = now.wallMs;
    this.effects.write(encodeTransaction(transaction, this.options.recordVersion));
  }

  protected take(): TransactionEffects {
    const taken = this.effects.take();
    this.effects = new Effects();
    return taken;
  }

  /** A request for the next transaction, while the markers of this one are being written. */
  protected wait(
    ticket: number | null,
    transaction: Transaction,
    command: AddPartitions,
    now: Moment,
  ): void {
    const { concurrentWaitMs } = this.options;
    const { transactionalId, waiting } = transaction;
    if (ticket === null || concurrentWaitMs === 0 || waiting.length >= WAITING_MAX) {
      this.effects.reply(ticket, partitionsReply(ErrorCode.CONCURRENT_TRANSACTIONS));
      return;
    }
    if (waiting.length === 0) {
      const dueMs = now.monotonicMs + concurrentWaitMs;
      this.effects.setTimer(waitTimer(transactionalId), dueMs, { kind: "waited", transactionalId });
    }
    waiting.push(ticket);
    this.waiting.set(ticket, command);
  }

  protected dismiss(transactionalId: string): void {
    const transaction = this.transactions.get(transactionalId);
    for (const ticket of transaction?.waiting.splice(0) ?? []) {
      this.waiting.delete(ticket);
      this.effects.reply(ticket, partitionsReply(ErrorCode.CONCURRENT_TRANSACTIONS));
    }
  }
}
