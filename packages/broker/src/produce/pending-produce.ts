import type { ProduceResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { Call } from "../handler.ts";

export type PartitionAnswer = ProduceResponse["responses"][number]["partitionResponses"][number];

/** A produce request from admission to its answer. */
export interface PendingProduce {
  readonly call: Call;
  /** -1: all in-sync replicas, 0: none, 1: the leader's write. */
  readonly acks: number;
  readonly response: ProduceResponse;
  /** Null: nothing in the request may be transactional. */
  readonly transactionalId: string | null;
  /** Logs in which a transaction may begin with this request; null: nobody was asked. */
  readonly verified: ReadonlySet<number> | null;
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** Its slot among the requests that wait, or -1. */
  slot: number;
  /** Batches that are not settled yet. */
  waiting: number;
  /** Answered, by settlement or by its deadline. */
  done: boolean;
  /** At least one partition was refused. */
  failed: boolean;
}

/** Clients of this Produce version and older do not know KAFKA_STORAGE_ERROR (KIP-112). */
const NO_STORAGE_ERROR_VERSION = 3;

/** Turns a partition's answer into a refusal; what was assigned is not told. */
export function refuse(
  pending: PendingProduce,
  answer: PartitionAnswer,
  errorCode: number,
  message: string | null = null,
  recordIndex = -1,
): void {
  pending.failed = true;
  const isUnknown =
    errorCode === ErrorCode.KAFKA_STORAGE_ERROR && pending.call.version <= NO_STORAGE_ERROR_VERSION;
  answer.errorCode = isUnknown ? ErrorCode.NOT_LEADER_OR_FOLLOWER : errorCode;
  answer.baseOffset = -1;
  answer.logAppendTimeMs = -1;
  answer.logStartOffset = -1;
  answer.errorMessage = message;
  answer.recordErrors =
    recordIndex < 0 ? [] : [{ batchIndex: recordIndex, batchIndexErrorMessage: message }];
}

export const isRefused = (answer: PartitionAnswer): boolean => answer.errorCode !== ErrorCode.NONE;
