import type { ErrorCode } from "@mantou/protocol";
import type { ClientVersion, TransactionState } from "./transaction.ts";

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** InitProducerId with a transactional id. */
export interface InitProducerId {
  readonly kind: "initProducerId";
  readonly transactionalId: string;
  readonly timeoutMs: number;
  /** What the producer has, or -1 and -1 where it begins. */
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** AddPartitionsToTxn, AddOffsetsToTxn (the group's partition), and the adds that a leader implies. */
export interface AddPartitions {
  readonly kind: "addPartitions";
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly topics: readonly TopicPartitions[];
  readonly clientVersion: ClientVersion;
}

/** A partition's leader asks whether the partition is in the producer's transaction (KIP-890). */
export interface VerifyPartitions {
  readonly kind: "verifyPartitions";
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly topics: readonly TopicPartitions[];
}

export interface EndTransaction {
  readonly kind: "endTransaction";
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly isCommit: boolean;
  readonly clientVersion: ClientVersion;
}

/** Markers of a transaction that is being completed are durable, or no longer needed, there. */
export interface MarkersWritten {
  readonly kind: "markersWritten";
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly topics: readonly TopicPartitions[];
}

/** A command that could not go on without a fresh producer id, and the id; null: there is none. */
export interface ProducerIdGiven {
  readonly kind: "producerIdGiven";
  readonly ticket: number;
  readonly command: InitProducerId | EndTransaction;
  readonly freshProducerId: number | null;
}

export interface DescribeTransaction {
  readonly kind: "describe";
  readonly transactionalId: string;
}

export interface ListTransactions {
  readonly kind: "list";
  /** Empty: all. */
  readonly states: readonly TransactionState[];
  readonly producerIds: readonly number[];
  /** Only transactions that have been running for longer; -1: all. */
  readonly runningMs: number;
}

export type TransactionCommand =
  | InitProducerId
  | AddPartitions
  | VerifyPartitions
  | EndTransaction
  | MarkersWritten
  | ProducerIdGiven
  | DescribeTransaction
  | ListTransactions
  /** Timers: transactions that have run for too long; ids that were not used for too long. */
  | { readonly kind: "sweep" }
  | { readonly kind: "expire" }
  /** Timer: who waits for this transaction to be complete is sent away. */
  | { readonly kind: "waited"; readonly transactionalId: string };

export interface ProducerReply {
  readonly kind: "producer";
  readonly errorCode: ErrorCode;
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface PartitionsReply {
  readonly kind: "partitions";
  /** Of every partition that `refused` does not name. */
  readonly errorCode: ErrorCode;
  /** Verification: partitions that are not in the transaction, and their code. */
  readonly refused: readonly TopicPartitions[];
  readonly refusedCode: ErrorCode;
}

export interface TransactionDescription {
  readonly transactionalId: string;
  readonly state: TransactionState;
  readonly timeoutMs: number;
  readonly startMs: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly topics: readonly TopicPartitions[];
}

export interface TransactionListing {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly state: TransactionState;
}

export type TransactionReply =
  | ProducerReply
  | PartitionsReply
  | {
      readonly kind: "description";
      readonly errorCode: ErrorCode;
      readonly description: TransactionDescription | null;
    }
  | { readonly kind: "list"; readonly transactions: readonly TransactionListing[] };

/** What only the driver can do. */
export type TransactionRequest =
  /** Write a marker into each partition; answered by `markersWritten`, in any number of pieces. */
  | {
      readonly kind: "sendMarkers";
      readonly transactionalId: string;
      readonly producerId: number;
      readonly producerEpoch: number;
      readonly coordinatorEpoch: number;
      readonly isCommit: boolean;
      readonly transactionVersion: ClientVersion;
      readonly topics: readonly TopicPartitions[];
    }
  /** Get a producer id that nobody has; answered by `producerIdGiven`. */
  | {
      readonly kind: "giveProducerId";
      readonly ticket: number;
      readonly command: InitProducerId | EndTransaction;
    };
