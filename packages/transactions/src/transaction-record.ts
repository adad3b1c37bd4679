import type { CoordinatorRecord } from "@mantou/base";
import {
  Reader,
  Writer,
  array,
  defineCodec,
  f,
  int16,
  int32,
  int64,
  int8,
  string,
  struct,
} from "@mantou/protocol";
import type { Transaction, TransactionState } from "./transaction.ts";
import { TransactionState as States, isPrepared, newTransaction } from "./transaction.ts";

const key = defineCodec(struct({ transactionalId: string }), {
  name: "TransactionLogKey",
  versions: [0, 0],
});

const value = defineCodec(
  struct({
    producerId: int64,
    previousProducerId: f(int64, { since: 1, tag: 0, default: -1, ignorable: true }),
    nextProducerId: f(int64, { since: 1, tag: 1, default: -1, ignorable: true }),
    producerEpoch: int16,
    nextProducerEpoch: f(int16, { since: 1, tag: 3, default: -1, ignorable: true }),
    transactionTimeoutMs: int32,
    transactionStatus: int8,
    transactionPartitions: f(array(struct({ topic: string, partitionIds: array(int32) })), {
      nullable: true,
    }),
    transactionLastUpdateTimestampMs: int64,
    transactionStartTimestampMs: int64,
    clientTransactionVersion: f(int16, { since: 1, tag: 2, default: 0, ignorable: true }),
  }),
  { name: "TransactionLogValue", versions: [0, 1], flexible: 1 },
);

/** Versions of a stored value: 1 is flexible, and written from transaction.version 1 on (KIP-915). */
export type TransactionRecordVersion = 0 | 1;

const VERSION_BYTES = 2;
const writer = new Writer(256);

/** The record that makes `transaction` what it is now, in Kafka's form. */
export function encodeTransaction(
  transaction: Transaction,
  version: TransactionRecordVersion,
): CoordinatorRecord {
  const { producerId, producerEpoch, previousProducerId, nextProducerId } = transaction;
  const partitions =
    // Kafka's own form of an id without a transaction: no list rather than an empty one.
    transaction.state === States.EMPTY
      ? null
      : [...transaction.partitions].map(([topic, ids]) => ({ topic, partitionIds: [...ids] }));
  const body = encoded(version, (out) =>
    value.encode(
      out,
      {
        producerId,
        previousProducerId,
        nextProducerId,
        producerEpoch,
        transactionTimeoutMs: transaction.timeoutMs,
        transactionStatus: transaction.state,
        transactionPartitions: partitions,
        transactionLastUpdateTimestampMs: transaction.updateMs,
        transactionStartTimestampMs: transaction.startMs,
        clientTransactionVersion: transaction.clientVersion,
      },
      version,
    ),
  );
  return { key: encodeTransactionKey(transaction.transactionalId), value: body };
}

/** The record that removes a transactional id. */
export const forgetTransaction = (transactionalId: string): CoordinatorRecord => ({
  key: encodeTransactionKey(transactionalId),
  value: null,
});

const encodeTransactionKey = (transactionalId: string): Uint8Array =>
  encoded(0, (out) => key.encode(out, { transactionalId }, 0));

/** The id in a record's key; null for a key of a version that is not known here. */
export function decodeTransactionKey(bytes: Uint8Array): string | null {
  if (versionOf(bytes) !== 0) return null;
  return key.decode(new Reader(bytes).reset(VERSION_BYTES, bytes.length - VERSION_BYTES), 0)
    .transactionalId;
}

/** What a record's value says; null where its version is not known here. Throws DecodeError. */
export function decodeTransactionValue(
  transactionalId: string,
  bytes: Uint8Array,
): Transaction | null {
  const version = versionOf(bytes);
  if (version !== 0 && version !== 1) return null;
  const reader = new Reader(bytes).reset(VERSION_BYTES, bytes.length - VERSION_BYTES);
  const stored = value.decode(reader, version);
  // The last two states are never stored.
  if (stored.transactionStatus < 0 || stored.transactionStatus > States.COMPLETE_ABORT) return null;
  const transaction = newTransaction(transactionalId);
  transaction.producerId = stored.producerId;
  transaction.producerEpoch = stored.producerEpoch;
  transaction.previousProducerId = stored.previousProducerId;
  transaction.nextProducerId = stored.nextProducerId;
  transaction.timeoutMs = stored.transactionTimeoutMs;
  transaction.state = stored.transactionStatus as TransactionState;
  transaction.startMs = stored.transactionStartTimestampMs;
  transaction.updateMs = stored.transactionLastUpdateTimestampMs;
  transaction.clientVersion = stored.clientTransactionVersion;
  if (transaction.state === States.ONGOING || isPrepared(transaction)) {
    for (const { topic, partitionIds } of stored.transactionPartitions ?? []) {
      transaction.partitions.set(topic, new Set(partitionIds));
    }
  }
  return transaction;
}

const versionOf = (bytes: Uint8Array): number =>
  bytes.length < VERSION_BYTES ? -1 : ((bytes[0] as number) << 8) | (bytes[1] as number);

function encoded(version: number, encode: (out: Writer) => void): Uint8Array {
  writer.reset();
  encode(writer);
  const bytes = new Uint8Array(VERSION_BYTES + writer.length);
  bytes[1] = version;
  bytes.set(writer.bytes.subarray(0, writer.length), VERSION_BYTES);
  return bytes;
}
