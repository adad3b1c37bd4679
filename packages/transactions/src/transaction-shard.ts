import type { CoordinatorShard, Moment } from "@mantou/base";
import { unreachable } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type {
  AddPartitions,
  EndTransaction,
  InitProducerId,
  MarkersWritten,
  ProducerIdGiven,
  TransactionCommand,
  TransactionReply,
  TransactionRequest,
} from "./commands.ts";
import type { TransactionEffects } from "./effects.ts";
import { partitionsReply, producerReply } from "./effects.ts";
import { endVerdict } from "./end-verdict.ts";
import { initVerdict } from "./init-verdict.ts";
import { isEpochExhausted, producerFault } from "./judge-producer.ts";
import { TransactionLife, waitTimer } from "./transaction-life.ts";
import { describeTransaction, listTransactions, verifyPartitions } from "./transaction-queries.ts";
import type { Transaction } from "./transaction.ts";
import {
  NO_EPOCH,
  NO_PRODUCER_ID,
  TransactionState,
  addTo,
  countPartitions,
  isPrepared,
  missingFrom,
  newTransaction,
  removeFrom,
} from "./transaction.ts";

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
export class TransactionShard
  extends TransactionLife
  implements CoordinatorShard<TransactionCommand, TransactionReply, TransactionRequest>
{
  /** Tickets that a producer id is being got for; another shard's are not answered here. */
  private readonly asked = new Set<number>();

  step(ticket: number | null, command: TransactionCommand, now: Moment): TransactionEffects {
    switch (command.kind) {
      case "initProducerId":
        this.initProducerId(ticket, command, now, null);
        break;
      case "addPartitions":
        this.addPartitions(ticket, command, now);
        break;
      case "verifyPartitions":
        this.effects.reply(
          ticket,
          verifyPartitions(this.transactions.get(command.transactionalId), command),
        );
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
        this.effects.reply(
          ticket,
          describeTransaction(this.transactions.get(command.transactionalId)),
        );
        break;
      case "list":
        this.effects.reply(ticket, listTransactions(this.transactions.values(), command, now));
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

  /** The transaction is complete: who waited for that is judged anew. */
  protected override readmit(transaction: Transaction, now: Moment): void {
    if (transaction.waiting.length === 0) return;
    this.effects.cancelTimer(waitTimer(transaction.transactionalId));
    for (const ticket of transaction.waiting.splice(0)) {
      const command = this.waiting.get(ticket) as AddPartitions;
      this.waiting.delete(ticket);
      this.addPartitions(ticket, command, now);
    }
  }
}
