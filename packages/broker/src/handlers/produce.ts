import type { Clock, LogId } from "@mantou/base";
import type { TopicConfig } from "@mantou/catalog";
import { isInternalTopic } from "@mantou/catalog";
import { InspectFlag } from "@mantou/io";
import type { PartitionTable } from "@mantou/replication";
import type { ProduceRequest, ProduceResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { Call } from "../handler.ts";
import { INFLATION_MAX, PRODUCES_PENDING_MAX } from "../limits.ts";
import type { Admission } from "../produce/admission.ts";
import type { PartitionAnswer, PendingProduce } from "../produce/pending-produce.ts";
import { isRefused, refuse } from "../produce/pending-produce.ts";
import { SlotList } from "../slot-list.ts";
import type { Waiters } from "../produce/waiters.ts";
import type {
  TransactionGate,
  TransactionGateParts,
  Verification,
} from "../transactions/transaction-gate.ts";

/** Topic ids replace names from this version on. */
const TOPIC_ID_VERSION = 13;

/** Where a partition's batch goes, or why it does not. */
export type Route = { readonly logId: LogId } | { readonly errorCode: number };

export interface ProduceStageParts {
  readonly partitions: PartitionTable;
  readonly admission: Admission;
  readonly untilWritten: Waiters;
  readonly untilCommitted: Waiters;
  readonly clock: Clock;
  readonly configOf: (logId: LogId) => TopicConfig;
  readonly resolve: (topic: string, usesId: boolean, partition: number) => Route;
  /** Whether the data directory takes appends now (free space, no failed fsync). */
  readonly storeAccepts: () => boolean;
  readonly answer: (call: Call, response: ProduceResponse) => void;
  readonly skip: (call: Call) => void;
  readonly close: (call: Call) => void;
  /** Holds transactional requests until their partitions are known to be in the transaction. */
  readonly gate: (resume: TransactionGateParts["resume"]) => Pick<TransactionGate, "admits">;
}

/**
 * Produce: decode -> route (refuse or take) -> inspect, admit, submit (`Admission`, once per
 * tick) -> advance (watermarks) -> answer in the connection's order; acks=0 takes no place.
 */
export class ProduceStage {
  private readonly pending = new SlotList<PendingProduce>();
  private readonly fresh: PendingProduce[] = [];
  private readonly settled: PendingProduce[] = [];

  private readonly gate: Pick<TransactionGate, "admits">;

  constructor(private readonly parts: ProduceStageParts) {
    this.gate = parts.gate(({ call, request, frameOffset }, verification) => {
      this.route(call, request, frameOffset, verification);
      // What the requests behind it may do depends on what becomes of this one.
      parts.admission.flush();
    });
  }

  /** Requests that wait for a disk. Those that are held for a coordinator have changed nothing. */
  get waiting(): number {
    return this.pending.size;
  }

  /** Takes a request. The frame's memory is released after the tick's flush. */
  take(call: Call, request: ProduceRequest, frameOffset: number): void {
    if (this.gate.admits(call, request, frameOffset)) this.route(call, request, frameOffset, null);
  }

  private route(
    call: Call,
    request: ProduceRequest,
    frameOffset: number,
    verification: Verification | null,
  ): void {
    const { parts } = this;
    const pending: PendingProduce = {
      call,
      acks: request.acks,
      response: { responses: [], throttleTimeMs: 0, nodeEndpoints: [] },
      transactionalId: request.transactionalId,
      verified: verification?.verified ?? null,
      deadlineMs: parts.clock.monotonicMs() + Math.max(request.timeoutMs, 0),
      slot: -1,
      waiting: 0,
      done: false,
      failed: false,
    };
    const refusal = this.requestRefusal(request, verification?.request ?? ErrorCode.NONE);
    const usesId = call.version >= TOPIC_ID_VERSION;
    for (const topic of request.topicData) {
      const partitionResponses: PartitionAnswer[] = [];
      pending.response.responses.push({
        name: topic.name,
        topicId: topic.topicId,
        partitionResponses,
      });
      for (const partition of topic.partitionData) {
        const answer = newAnswer(partition.index);
        partitionResponses.push(answer);
        if (refusal !== ErrorCode.NONE) {
          refuse(pending, answer, refusal);
          continue;
        }
        const name = usesId ? topic.topicId : topic.name;
        this.routeBatch(pending, answer, name, usesId, partition, verification);
      }
    }
    this.fresh.push(pending);
    parts.admission.releaseAfterFlush(frameOffset);
  }

  /** Ends the tick: admits what was taken and answers what waits for nothing. */
  flush(): void {
    this.parts.admission.flush();
    for (const pending of this.fresh) {
      if (pending.waiting === 0) this.finish(pending);
      else pending.slot = this.pending.add(pending);
    }
    this.fresh.length = 0;
  }

  /** The log's bytes up to `end` are written: acks=1 is satisfied. */
  written(logId: LogId, end: number): void {
    this.parts.untilWritten.reached(logId, end, this.settled);
    this.finishSettled();
  }

  /** The log's high watermark has reached `end`: acks=all is satisfied. */
  committed(logId: LogId, end: number): void {
    this.parts.untilCommitted.reached(logId, end, this.settled);
    this.finishSettled();
  }

  /** The log is offline: nobody who waits for it may be told that it is safe. */
  failed(logId: LogId, errorCode: number = ErrorCode.KAFKA_STORAGE_ERROR): void {
    const refuseOne = (pending: PendingProduce, answer: PartitionAnswer): void =>
      refuse(pending, answer, errorCode, "the partition's log has failed or was deleted");
    this.parts.untilWritten.fail(logId, refuseOne, this.settled);
    this.parts.untilCommitted.fail(logId, refuseOne, this.settled);
    this.finishSettled();
  }

  /** Answers requests whose time is over; their records may be stored all the same. */
  expire(nowMs: number): void {
    const late: PendingProduce[] = [];
    for (const pending of this.pending.values()) {
      if (pending.deadlineMs <= nowMs) late.push(pending);
    }
    if (late.length === 0) return;
    const isLate = (pending: PendingProduce): boolean => pending.deadlineMs <= nowMs;
    const refuseOne = (pending: PendingProduce, answer: PartitionAnswer): void =>
      refuse(pending, answer, ErrorCode.REQUEST_TIMED_OUT);
    this.parts.untilWritten.late(isLate, refuseOne);
    this.parts.untilCommitted.late(isLate, refuseOne);
    for (const pending of late) this.finish(pending);
  }

  private routeBatch(
    pending: PendingProduce,
    answer: PartitionAnswer,
    topic: string,
    usesId: boolean,
    partition: ProduceRequest["topicData"][number]["partitionData"][number],
    verification: Verification | null,
  ): void {
    const { parts } = this;
    const route = parts.resolve(topic, usesId, partition.index);
    if ("errorCode" in route) {
      refuse(pending, answer, route.errorCode);
      return;
    }
    const errorCode =
      verification?.refused.get(route.logId) ?? this.partitionRefusal(route.logId, pending);
    if (errorCode !== ErrorCode.NONE) {
      refuse(pending, answer, errorCode);
      return;
    }
    const { records } = partition;
    if (records === null || !("offset" in records) || records.length === 0) {
      refuse(pending, answer, ErrorCode.INVALID_RECORD, "the partition has no records");
      return;
    }
    const config = parts.configOf(route.logId);
    const flags =
      (config.validateRecords ? InspectFlag.VALIDATE_RECORDS : 0) |
      (config.cleanupCompact ? InspectFlag.KEYS_REQUIRED : 0);
    const inflatedMax = Math.min(config.maxMessageBytes * INFLATION_MAX, 0xffff_ffff);
    const { admission } = parts;
    if (admission.isFull) admission.flush();
    admission.take(
      route.logId,
      records.offset,
      records.length,
      pending,
      answer,
      flags,
      inflatedMax,
    );
  }

  private requestRefusal(request: ProduceRequest, verified: ErrorCode): number {
    if (verified !== ErrorCode.NONE) return verified;
    if (request.acks < -1 || request.acks > 1) return ErrorCode.INVALID_REQUIRED_ACKS;
    if (this.pending.size >= PRODUCES_PENDING_MAX) return ErrorCode.KAFKA_STORAGE_ERROR;
    return ErrorCode.NONE;
  }

  private partitionRefusal(logId: LogId, pending: PendingProduce): number {
    const { parts } = this;
    const { call, acks } = pending;
    const config = parts.configOf(logId);
    if (isInternalTopic(config.topic) && call.clientId !== "__admin_client") {
      return ErrorCode.INVALID_TOPIC_EXCEPTION;
    }
    if (!parts.storeAccepts() || parts.partitions.isFailed(logId)) {
      return ErrorCode.KAFKA_STORAGE_ERROR;
    }
    if (acks === -1 && parts.partitions.inSyncCount(logId) < config.minInsyncReplicas) {
      return ErrorCode.NOT_ENOUGH_REPLICAS;
    }
    return ErrorCode.NONE;
  }

  private finishSettled(): void {
    for (const pending of this.settled) {
      // A request that settles before its own tick has ended is answered by `flush`.
      if (pending.slot >= 0) this.finish(pending);
    }
    this.settled.length = 0;
  }

  private finish(pending: PendingProduce): void {
    if (pending.slot >= 0) this.pending.remove(pending.slot);
    pending.slot = -1;
    if (pending.done) return;
    pending.done = true;
    if (pending.acks !== 0) {
      this.parts.answer(pending.call, pending.response);
      return;
    }
    // Without an answer, hanging up is the only way to tell the producer of an error.
    const refused = pending.response.responses.some((topic) =>
      topic.partitionResponses.some(isRefused),
    );
    if (refused) this.parts.close(pending.call);
    else this.parts.skip(pending.call);
  }
}

function newAnswer(index: number): PartitionAnswer {
  return {
    index,
    errorCode: ErrorCode.NONE,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: [],
    errorMessage: null,
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
  };
}
