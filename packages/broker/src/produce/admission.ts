import type { Clock, LogId, Millis } from "@mantou/base";
import { unreachable } from "@mantou/base";
import type { TopicConfig } from "@mantou/catalog";
import type { Arena, LogStore } from "@mantou/io";
import {
  APPEND_WORDS,
  Append,
  AppendFlag,
  INSPECT_WORDS,
  Inspect,
  InspectCode,
  Table,
} from "@mantou/io";
import type { PartitionTable, ProducerStates } from "@mantou/replication";
import {
  BatchAttribute,
  BatchField,
  BatchView,
  ErrorCode,
  LOG_OVERHEAD_BYTES,
} from "@mantou/protocol";
import { BATCHES_PER_CALL } from "../limits.ts";
import type { PlanWriter } from "../plan-writer.ts";
import { IMPLICIT_ADD_VERSION } from "../transactions/transaction-gate.ts";
import {
  codecRefusal,
  inspectionRefusal,
  internalTopicRefusal,
  producerRefusal,
  sizeRefusal,
  timestampRefusal,
} from "./batch-rules.ts";
import type { Refusal } from "./batch-rules.ts";
import type { PartitionAnswer, PendingProduce } from "./pending-produce.ts";
import { refuse } from "./pending-produce.ts";
import type { Waiters } from "./waiters.ts";

export interface AdmissionParts {
  readonly arena: Arena;
  readonly logs: LogStore;
  readonly partitions: PartitionTable;
  readonly producers: ProducerStates;
  readonly clock: Clock;
  readonly writer: PlanWriter;
  /** Batches that wait for their write (acks=1) and for the high watermark (acks=all). */
  readonly untilWritten: Waiters;
  readonly untilCommitted: Waiters;
  readonly configOf: (logId: LogId) => TopicConfig;
  /** `transaction.partition.verification.enable`. */
  readonly verifiesPartitions: () => boolean;
}

/**
 * The batches of one tick: inspected in one native call, admitted in order (duplicates answered,
 * sequences checked, base offsets assigned), appended in one native call that only enqueues.
 */
export class Admission {
  private readonly inspectTable = new Table(INSPECT_WORDS, BATCHES_PER_CALL);
  private readonly appendTable = new Table(APPEND_WORDS, BATCHES_PER_CALL);
  private readonly batch = new BatchView();
  private readonly logIds = new Int32Array(BATCHES_PER_CALL);
  private readonly pendings: PendingProduce[] = [];
  private readonly answers: PartitionAnswer[] = [];
  private readonly frames: number[] = [];
  private taken = 0;
  private appends = 0;

  constructor(private readonly parts: AdmissionParts) {}

  get isFull(): boolean {
    return this.taken === BATCHES_PER_CALL;
  }

  /** Takes one routed batch. The caller flushes first when `isFull`. */
  take(
    logId: LogId,
    start: number,
    length: number,
    pending: PendingProduce,
    answer: PartitionAnswer,
    flags: number,
    inflatedBytesMax: number,
  ): void {
    const row = this.taken++;
    this.logIds[row] = logId;
    this.pendings[row] = pending;
    this.answers[row] = answer;
    this.inspectTable.setWord(row, Inspect.offset, start);
    this.inspectTable.setWord(row, Inspect.length, length);
    this.inspectTable.setWord(row, Inspect.flags, flags);
    this.inspectTable.setWord(row, Inspect.inflatedBytesMax, inflatedBytesMax);
  }

  /** Gives the frame's memory back once its batches have been handed to the disk. */
  releaseAfterFlush(frameOffset: number): void {
    this.frames.push(frameOffset);
  }

  /** Inspects, admits and submits everything taken since the last flush. */
  flush(): void {
    const { parts } = this;
    if (this.taken > 0) {
      parts.logs.inspect(this.inspectTable, this.taken);
      const nowMs = parts.clock.wallMs();
      this.appends = 0;
      for (let row = 0; row < this.taken; row += 1) this.admit(row, nowMs);
      if (this.appends > 0) parts.logs.append(this.appendTable, this.appends, nowMs);
      this.taken = 0;
      this.pendings.length = 0;
      this.answers.length = 0;
    }
    // The engine holds its own references to what it appends.
    for (const frame of this.frames) parts.writer.release(frame);
    this.frames.length = 0;
  }

  private admit(row: number, nowMs: Millis): void {
    const pending = this.pendings[row] as PendingProduce;
    const answer = this.answers[row] as PartitionAnswer;
    const logId = this.logIds[row] as LogId;
    // Since it was routed the log may have failed, moved or been deleted, in this very tick.
    const lost = this.lostLog(logId);
    if (lost !== ErrorCode.NONE) {
      refuse(pending, answer, lost);
      return;
    }
    const refusal = this.judge(row, logId, pending.call.version, nowMs);
    if (refusal !== null) {
      const recordIndex = this.inspectTable.signed(row, Inspect.recordIndex);
      const index = refusal.errorCode === ErrorCode.INVALID_TIMESTAMP ? 0 : recordIndex;
      refuse(pending, answer, refusal.errorCode, refusal.message, index);
      // What the producer may compare its own view with, refused or not.
      answer.logStartOffset = this.parts.partitions.logStartOffset(logId);
      return;
    }
    const config = this.parts.configOf(logId);
    const { batch } = this;
    const producerId = batch.producerId;
    const isTransactional = (batch.attributes & BatchAttribute.TRANSACTIONAL) !== 0;
    if (isTransactional && this.refusesTransaction(logId, pending, answer)) return;
    if (
      producerId >= 0 &&
      this.answerFromProducerState(logId, pending, answer, nowMs, isTransactional)
    ) {
      return;
    }
    const { partitions } = this.parts;
    const baseOffset = partitions.logEndOffset(logId);
    const end = baseOffset + batch.lastOffsetDelta + 1;
    const stampedByUs = config.messageTimestampType === "LogAppendTime";
    const timestamp = stampedByUs ? nowMs : batch.maxTimestamp;
    if (producerId >= 0) {
      this.parts.producers.record(
        logId,
        producerId,
        batch.producerEpoch,
        batch.baseSequence,
        batch.lastOffsetDelta,
        baseOffset,
        timestamp,
        nowMs,
        isTransactional,
      );
    }
    partitions.appended(logId, end);
    answer.baseOffset = baseOffset;
    answer.logAppendTimeMs = stampedByUs ? nowMs : -1;
    answer.logStartOffset = partitions.logStartOffset(logId);
    this.submit(row, logId, baseOffset, pending.acks === 1, stampedByUs);
    this.wait(logId, end, pending, answer);
  }

  /** Why a log that could take records when the batch was routed no longer can, or NONE. */
  private lostLog(logId: LogId): number {
    const { partitions } = this.parts;
    if (!partitions.isOpen(logId)) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    if (!partitions.isLeader(logId)) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
    return partitions.isFailed(logId) ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.NONE;
  }

  /** Everything that can speak against a batch before its producer's state is asked. */
  private judge(row: number, logId: LogId, version: number, nowMs: Millis): Refusal | null {
    const table = this.inspectTable;
    const code = table.word(row, Inspect.code);
    const start = table.word(row, Inspect.offset);
    if (code !== InspectCode.OK) {
      const claimed = claimedBytes(this.parts.arena.view, start, table.word(row, Inspect.length));
      return inspectionRefusal(code, claimed);
    }
    const { batch } = this;
    batch.at(this.parts.arena.view, start);
    const config = this.parts.configOf(logId);
    return (
      codecRefusal(batch.attributes, version) ??
      internalTopicRefusal(batch.attributes, config) ??
      sizeRefusal(table.word(row, Inspect.length), config) ??
      timestampRefusal(batch.baseTimestamp, batch.maxTimestamp, config, nowMs) ??
      producerRefusal(batch.producerId)
    );
  }

  /**
   * A batch may go on with a transaction that is open, or begin one that the coordinator knows of.
   * True: it was refused.
   */
  private refusesTransaction(
    logId: LogId,
    pending: PendingProduce,
    answer: PartitionAnswer,
  ): boolean {
    const { producerEpoch, producerId } = this.batch;
    if (pending.transactionalId === null) {
      const message = "a transactional batch in a request without a transactional id";
      refuse(pending, answer, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, message);
      return true;
    }
    if (pending.verified?.has(logId) === true || !this.parts.verifiesPartitions()) return false;
    if (this.parts.producers.isInTransaction(logId, producerId, producerEpoch)) return false;
    const message = "the partition was not added to the producer's transaction";
    refuse(pending, answer, ErrorCode.INVALID_TXN_STATE, message);
    return true;
  }

  /** True when the producer's state already has the answer: a duplicate, or a refusal. */
  private answerFromProducerState(
    logId: LogId,
    pending: PendingProduce,
    answer: PartitionAnswer,
    nowMs: Millis,
    isTransactional: boolean,
  ): boolean {
    const { batch } = this;
    const verdict = this.parts.producers.admit(
      logId,
      batch.producerId,
      batch.producerEpoch,
      batch.baseSequence,
      batch.lastOffsetDelta,
      nowMs,
      isTransactional,
      isTransactional && pending.call.version >= IMPLICIT_ADD_VERSION,
    );
    switch (verdict.kind) {
      case "accept":
        return false;
      case "refuse":
        refuse(pending, answer, verdict.errorCode, verdict.message);
        return true;
      case "duplicate":
        // Success with the first answer; it too waits until the first batch is safe.
        answer.baseOffset = verdict.baseOffset;
        answer.logAppendTimeMs =
          this.parts.configOf(logId).messageTimestampType === "LogAppendTime"
            ? verdict.timestamp
            : -1;
        answer.logStartOffset = this.parts.partitions.logStartOffset(logId);
        this.wait(logId, verdict.baseOffset + batch.lastOffsetDelta + 1, pending, answer);
        return true;
      default:
        return unreachable(verdict);
    }
  }

  private submit(
    row: number,
    logId: LogId,
    baseOffset: number,
    notifyWritten: boolean,
    stamp: boolean,
  ): void {
    const table = this.appendTable;
    const out = this.appends++;
    const flags =
      (notifyWritten ? AppendFlag.NOTIFY_WRITTEN : 0) | (stamp ? AppendFlag.LOG_APPEND_TIME : 0);
    table.setWord(out, Append.logId, logId);
    table.setWord(out, Append.offset, this.inspectTable.word(row, Inspect.offset));
    table.setWord(out, Append.length, this.inspectTable.word(row, Inspect.length));
    table.setWord(out, Append.flags, flags);
    table.setDouble(out, Append.baseOffsetF64, baseOffset);
    table.setWord(out, Append.leaderEpoch, this.parts.partitions.leaderEpoch(logId));
  }

  private wait(logId: LogId, end: number, pending: PendingProduce, answer: PartitionAnswer): void {
    const { partitions, untilCommitted, untilWritten } = this.parts;
    if (pending.acks === -1 && end > partitions.highWatermark(logId)) {
      untilCommitted.add(logId, end, pending, answer);
    } else if (pending.acks === 1 && end > partitions.writtenEndOffset(logId)) {
      untilWritten.add(logId, end, pending, answer);
    }
  }
}

/** What a batch says its size is; Infinity where there is too little to say anything. */
function claimedBytes(view: DataView, start: number, length: number): number {
  if (length < LOG_OVERHEAD_BYTES) return Infinity;
  return view.getInt32(start + BatchField.batchLength) + LOG_OVERHEAD_BYTES;
}
