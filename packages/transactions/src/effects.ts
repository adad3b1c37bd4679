import type { CoordinatorEffects, CoordinatorRecord, TimerChange } from "@mantou/base";
import type { ErrorCode } from "@mantou/protocol";
import type {
  PartitionsReply,
  ProducerReply,
  TransactionCommand,
  TransactionReply,
  TransactionRequest,
} from "./commands.ts";

export type TransactionEffects = CoordinatorEffects<
  TransactionCommand,
  TransactionReply,
  TransactionRequest
>;

/** What one step wants done, as it comes together. */
export class Effects {
  private readonly records: CoordinatorRecord[] = [];
  private readonly timers: TimerChange<TransactionCommand>[] = [];
  private readonly requests: TransactionRequest[] = [];
  private readonly replies: { readonly ticket: number; readonly reply: TransactionReply }[] = [];

  write(record: CoordinatorRecord): void {
    this.records.push(record);
  }

  setTimer(key: string, dueMs: number, command: TransactionCommand): void {
    this.timers.push({ kind: "set", key, dueMs, command });
  }

  cancelTimer(key: string): void {
    this.timers.push({ kind: "cancel", key });
  }

  request(request: TransactionRequest): void {
    this.requests.push(request);
  }

  reply(ticket: number | null, reply: TransactionReply): void {
    if (ticket !== null) this.replies.push({ ticket, reply });
  }

  take(): TransactionEffects {
    const { records, replies, requests, timers } = this;
    const writes = records.length === 0 ? [] : [{ records, transaction: null }];
    return { writes, timers, requests, replies };
  }
}

/** The answer to InitProducerId and EndTxn; ids are -1 with an error. */
export const producerReply = (
  errorCode: ErrorCode,
  producerId = -1,
  producerEpoch = -1,
): ProducerReply => ({ kind: "producer", errorCode, producerId, producerEpoch });

export const partitionsReply = (errorCode: ErrorCode): PartitionsReply => ({
  kind: "partitions",
  errorCode,
  refused: [],
  refusedCode: errorCode,
});
