import type {
  CoordinatorRecord,
  CoordinatorShard,
  Moment,
  ReplayedBatch,
  TransactionMarker,
} from "@mantou/base";
import { assert, unreachable } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type {
  AddPartitions,
  EndTransaction,
  InitProducerId,
  ListTransactions,
  MarkersWritten,
  ProducerIdGiven,
  TransactionCommand,
  TransactionReply,
  TransactionRequest,
  VerifyPartitions,
} from "./commands.ts";
import type { TransactionEffects } from "./effects.ts";
import { Effects, partitionsReply, producerReply } from "./effects.ts";
import { endVerdict } from "./end-verdict.ts";
import { initVerdict } from "./init-verdict.ts";
import { fencingEpoch, isEpochExhausted, producerFault } from "./judge-producer.ts";
import type { TransactionOptions } from "./shard-options.ts";
import { WAITING_MAX } from "./shard-options.ts";
import type { Transaction } from "./transaction.ts";
import {
  EPOCH_MAX,
  EPOCH_USABLE_MAX,
  NO_EPOCH,
  NO_PRODUCER_ID,
  TransactionState,
  addTo,
  copyOf,
  countPartitions,
  isPrepared,
  listOf,
  missingFrom,
  newTransaction,
  removeFrom,
} from "./transaction.ts";
import {
  decodeTransactionKey,
  decodeTransactionValue,
  encodeTransaction,
  forgetTransaction,
} from "./transaction-record.ts";

const SWEEP = "sweep";
const EXPIRE = "expire";
const waitTimer = (transactionalId: string): string => `wait/${transactionalId}`;

/**
 * The transactional ids of one partition of `__transaction_state` (KIP-98, KIP-890).
 *
 *     Empty ──add──▶ Ongoing ──end, timeout, fence──▶ PrepareCommit or PrepareAbort
 *       ▲ ▲                                                    │ every partition has its marker
 *       │ └──────── init ──────── CompleteCommit or CompleteAbort
 *       └ init (new id)                    └──add──▶ Ongoing
 *
 * A transaction is decided once its Prepare record is durable; only then are markers asked for,
 * and they are asked for again after each load until all are written. In the old flow (client
 * version 0) InitProducerId raises the epoch; in the new one (2) each end does as well.
 */
export class TransactionShard implements CoordinatorShard<
  TransactionCommand,
  TransactionReply,
  TransactionRequest
> {
  private readonly transactions = new Map<string, Transaction>();
  /** Adds that wait until the transaction before is complete, by ticket. */
  private readonly waiting = new Map<number, AddPartitions>();
  /** Tickets that a producer id is being got for; another shard's are not answered here. */
  private readonly asked = new Set<number>();
  private effects = new Effects();
  private isSweepSet = false;
  private isExpireSet = false;

  /** @param coordinatorEpoch the leader epoch of the partition; markers carry it. */
  constructor(
    private readonly options: TransactionOptions,
    private readonly coordinatorEpoch: number,
  ) {}

  get size(): number {
    return this.transactions.size;
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

  step(ticket: number | null, command: TransactionCommand, now: Moment): TransactionEffects {
    switch (command.kind) {
      case "initProducerId":
        this.initProducerId(ticket, command, now, null);
        break;
      case "addPartitions":
        this.addPartitions(ticket, command, now);
        break;
      case "verifyPartitions":
        this.verifyPartitions(ticket, command);
        break;
      case "endTransaction":
        this.endTransaction(ticket, command, now, null);
        break;
      case "markersWritten":
        this.markersWritten(command, now);
        break;
      case "producerIdGiven":
        this.producerIdGiven(command, now);
        break;
      case "describe":
        this.describe(ticket, command.transactionalId);
        break;
      case "list":
        this.list(ticket, command, now);
        break;
      case "sweep":
        this.sweep(now);
        break;
      case "expire":
        this.expire(now);
        break;
      case "waited":
        this.dismiss(command.transactionalId);
        break;
      default:
        unreachable(command);
    }
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

  private initProducerId(
    ticket: number | null,
    command: InitProducerId,
    now: Moment,
    freshProducerId: number | null,
  ): void {
    const { effects, options } = this;
    const { timeoutMs, transactionalId } = command;
    if (timeoutMs <= 0 || timeoutMs > options.timeoutMaxMs) {
      effects.reply(ticket, producerReply(ErrorCode.INVALID_TRANSACTION_TIMEOUT));
      return;
    }
    const known = this.transactions.get(transactionalId);
    if (known === undefined && this.transactions.size >= options.idsMax) {
      effects.reply(ticket, producerReply(ErrorCode.POLICY_VIOLATION));
      return;
    }
    const verdict = initVerdict(known, command);
    switch (verdict.kind) {
      case "refuse":
        effects.reply(ticket, producerReply(verdict.errorCode));
        return;
      case "repeat":
        effects.reply(
          ticket,
          producerReply(
            ErrorCode.NONE,
            (known as Transaction).producerId,
            (known as Transaction).producerEpoch,
          ),
        );
        return;
      case "fence":
        this.fence(known as Transaction, now);
        effects.reply(ticket, producerReply(ErrorCode.CONCURRENT_TRANSACTIONS));
        return;
      case "bump":
        this.begin(known as Transaction, command, now, NO_PRODUCER_ID);
        break;
      case "newId": {
        if (freshProducerId === null) {
          this.askProducerId(ticket, command);
          return;
        }
        const transaction = known ?? newTransaction(transactionalId);
        if (known === undefined) this.transactions.set(transactionalId, transaction);
        this.begin(transaction, command, now, freshProducerId);
        this.armExpiry(now);
        break;
      }
      default:
        unreachable(verdict);
    }
    const { producerEpoch, producerId } = this.transactions.get(transactionalId) as Transaction;
    effects.reply(ticket, producerReply(ErrorCode.NONE, producerId, producerEpoch));
  }

  /** A producer begins, or begins again: with a raised epoch or under a new id. */
  private begin(
    transaction: Transaction,
    command: InitProducerId,
    now: Moment,
    freshProducerId: number,
  ): void {
    const brought = command.producerEpoch;
    transaction.lastProducerEpoch = brought === NO_EPOCH ? NO_EPOCH : transaction.producerEpoch;
    if (freshProducerId === NO_PRODUCER_ID) {
      transaction.producerEpoch += 1;
    } else {
      transaction.previousProducerId = transaction.producerId;
      transaction.producerId = freshProducerId;
      transaction.producerEpoch = 0;
    }
    transaction.nextProducerId = NO_PRODUCER_ID;
    transaction.timeoutMs = command.timeoutMs;
    transaction.state = TransactionState.EMPTY;
    transaction.startMs = -1;
    this.write(transaction, now);
  }

  private addPartitions(ticket: number | null, command: AddPartitions, now: Moment): void {
    const { effects, options } = this;
    const { producerEpoch, producerId, topics, transactionalId } = command;
    const transaction = this.transactions.get(transactionalId);
    const fault = producerFault(transaction, producerId, producerEpoch);
    if (fault !== ErrorCode.NONE || transaction === undefined) {
      effects.reply(ticket, partitionsReply(fault));
      return;
    }
    if (isPrepared(transaction)) {
      this.wait(ticket, transaction, command, now);
      return;
    }
    const isOngoing = transaction.state === TransactionState.ONGOING;
    const added = isOngoing ? missingFrom(transaction.partitions, topics) : topics;
    const count = added.reduce((sum, { partitions }) => sum + partitions.length, 0);
    if (count === 0) {
      effects.reply(ticket, partitionsReply(ErrorCode.NONE));
      return;
    }
    if (countPartitions(transaction.partitions) + count > options.partitionsMax) {
      effects.reply(ticket, partitionsReply(ErrorCode.POLICY_VIOLATION));
      return;
    }
    addTo(transaction.partitions, added);
    transaction.clientVersion = command.clientVersion;
    if (!isOngoing) {
      transaction.state = TransactionState.ONGOING;
      transaction.startMs = now.wallMs;
      // Its producer has the answer to the InitProducerId before: nobody may send that again.
      transaction.lastProducerEpoch = NO_EPOCH;
      this.watch(transaction, now);
    }
    this.write(transaction, now);
    effects.reply(ticket, partitionsReply(ErrorCode.NONE));
  }

  private verifyPartitions(ticket: number | null, command: VerifyPartitions): void {
    const { producerEpoch, producerId, topics, transactionalId } = command;
    const transaction = this.transactions.get(transactionalId);
    const fault = producerFault(transaction, producerId, producerEpoch);
    if (fault !== ErrorCode.NONE || transaction === undefined) {
      this.effects.reply(ticket, partitionsReply(fault));
      return;
    }
    if (isPrepared(transaction)) {
      this.effects.reply(ticket, partitionsReply(ErrorCode.CONCURRENT_TRANSACTIONS));
      return;
    }
    this.effects.reply(ticket, {
      ...partitionsReply(ErrorCode.NONE),
      refused: missingFrom(transaction.partitions, topics),
      refusedCode: ErrorCode.TRANSACTION_ABORTABLE,
    });
  }

  private endTransaction(
    ticket: number | null,
    command: EndTransaction,
    now: Moment,
    freshProducerId: number | null,
  ): void {
    const { effects } = this;
    const transaction = this.transactions.get(command.transactionalId);
    const verdict = endVerdict(transaction, command);
    if (verdict.kind === "answer" || transaction === undefined) {
      const { errorCode } = verdict;
      const isDone = errorCode === ErrorCode.NONE && transaction !== undefined;
      effects.reply(
        ticket,
        isDone
          ? producerReply(errorCode, transaction.producerId, transaction.producerEpoch)
          : producerReply(errorCode),
      );
      return;
    }
    const raisesEpoch = command.clientVersion >= 2;
    if (raisesEpoch && isEpochExhausted(transaction)) {
      if (freshProducerId === null) {
        this.askProducerId(ticket, command);
        return;
      }
      transaction.nextProducerId = freshProducerId;
    }
    const raised = raisesEpoch ? transaction.producerEpoch + 1 : transaction.producerEpoch;
    transaction.clientVersion = command.clientVersion;
    const goesOnWith = { id: transaction.nextProducerId, epoch: 0 };
    if (goesOnWith.id === NO_PRODUCER_ID) {
      goesOnWith.id = transaction.producerId;
      goesOnWith.epoch = raised;
    }
    this.decide(transaction, command.isCommit, raised, now);
    effects.reply(ticket, producerReply(ErrorCode.NONE, goesOnWith.id, goesOnWith.epoch));
  }

  /** The coordinator aborts a transaction against its producer's will, and fences the producer. */
  private fence(transaction: Transaction, now: Moment): void {
    transaction.lastProducerEpoch = NO_EPOCH;
    this.decide(transaction, false, fencingEpoch(transaction), now);
  }

  /** Commit or abort, once what is written here is durable. */
  private decide(transaction: Transaction, isCommit: boolean, epoch: number, now: Moment): void {
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

  private sendMarkers(transaction: Transaction, now: Moment): void {
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

  private markersWritten(command: MarkersWritten, now: Moment): void {
    const { producerEpoch, producerId, topics, transactionalId } = command;
    const transaction = this.transactions.get(transactionalId);
    // What comes late, of a shard that was unloaded meanwhile, must not touch a later transaction.
    if (transaction === undefined || transaction.unmarked === null) return;
    if (transaction.producerId !== producerId) return;
    if (transaction.producerEpoch !== producerEpoch) return;
    removeFrom(transaction.unmarked, topics);
    if (transaction.unmarked.size === 0) this.complete(transaction, now);
  }

  private complete(transaction: Transaction, now: Moment): void {
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

  /** A request for the next transaction, while the markers of this one are being written. */
  private wait(
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

  /** The transaction is complete: who waited for that is judged anew. */
  private readmit(transaction: Transaction, now: Moment): void {
    if (transaction.waiting.length === 0) return;
    this.effects.cancelTimer(waitTimer(transaction.transactionalId));
    for (const ticket of transaction.waiting.splice(0)) {
      const command = this.waiting.get(ticket) as AddPartitions;
      this.waiting.delete(ticket);
      this.addPartitions(ticket, command, now);
    }
  }

  private dismiss(transactionalId: string): void {
    const transaction = this.transactions.get(transactionalId);
    for (const ticket of transaction?.waiting.splice(0) ?? []) {
      this.waiting.delete(ticket);
      this.effects.reply(ticket, partitionsReply(ErrorCode.CONCURRENT_TRANSACTIONS));
    }
  }

  private askProducerId(ticket: number | null, command: InitProducerId | EndTransaction): void {
    if (ticket === null) return;
    this.asked.add(ticket);
    this.effects.request({ kind: "giveProducerId", ticket, command });
  }

  /** Judges the command again, since much may have happened meanwhile. */
  private producerIdGiven(
    { command, freshProducerId, ticket }: ProducerIdGiven,
    now: Moment,
  ): void {
    if (!this.asked.delete(ticket)) return;
    if (freshProducerId === null) {
      this.effects.reply(ticket, producerReply(ErrorCode.COORDINATOR_NOT_AVAILABLE));
    } else if (command.kind === "initProducerId") {
      this.initProducerId(ticket, command, now, freshProducerId);
    } else {
      this.endTransaction(ticket, command, now, freshProducerId);
    }
  }

  private describe(ticket: number | null, transactionalId: string): void {
    const transaction = this.transactions.get(transactionalId);
    const errorCode =
      transaction === undefined ? ErrorCode.TRANSACTIONAL_ID_NOT_FOUND : ErrorCode.NONE;
    const description =
      transaction === undefined
        ? null
        : {
            transactionalId,
            state: transaction.state,
            timeoutMs: transaction.timeoutMs,
            startMs: transaction.startMs,
            producerId: transaction.producerId,
            producerEpoch: transaction.producerEpoch,
            topics: listOf(transaction.partitions),
          };
    this.effects.reply(ticket, { kind: "description", errorCode, description });
  }

  private list(ticket: number | null, command: ListTransactions, now: Moment): void {
    const { producerIds, runningMs, states } = command;
    const listed: Transaction[] = [];
    for (const transaction of this.transactions.values()) {
      if (states.length > 0 && !states.includes(transaction.state)) continue;
      if (producerIds.length > 0 && !producerIds.includes(transaction.producerId)) continue;
      if (runningMs >= 0) {
        const { startMs } = transaction;
        if (startMs < 0 || transaction.partitions.size === 0) continue;
        if (now.wallMs - startMs <= runningMs) continue;
      }
      listed.push(transaction);
    }
    this.effects.reply(ticket, {
      kind: "list",
      transactions: listed.map(({ producerId, state, transactionalId }) => ({
        transactionalId,
        producerId,
        state,
      })),
    });
  }

  /** An ongoing transaction has a time at which it is over. */
  private watch(transaction: Transaction, now: Moment): void {
    // Counted by the monotonic clock, so that nobody who sets the other one ends transactions.
    const runningMs = Math.max(now.wallMs - transaction.startMs, 0);
    transaction.deadlineMs = now.monotonicMs + Math.max(transaction.timeoutMs - runningMs, 0);
    if (this.isSweepSet) return;
    this.isSweepSet = true;
    const dueMs = now.monotonicMs + this.options.sweepIntervalMs;
    this.effects.setTimer(SWEEP, dueMs, { kind: "sweep" });
  }

  private sweep(now: Moment): void {
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

  private armExpiry(now: Moment): void {
    if (this.isExpireSet || this.transactions.size === 0) return;
    this.isExpireSet = true;
    const dueMs = now.monotonicMs + this.options.expireIntervalMs;
    this.effects.setTimer(EXPIRE, dueMs, { kind: "expire" });
  }

  private expire(now: Moment): void {
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

  private write(transaction: Transaction, now: Moment): void {
    transaction.updateMs = now.wallMs;
    this.effects.write(encodeTransaction(transaction, this.options.recordVersion));
  }

  private take(): TransactionEffects {
    const taken = this.effects.take();
    this.effects = new Effects();
    return taken;
  }
}
