import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DecodeError } from "@mantou/protocol";
import {
  TransactionState,
  decodeTransactionKey,
  decodeTransactionValue,
  encodeTransaction,
  forgetTransaction,
} from "../src/index.ts";
import { newTransaction } from "../src/transaction.ts";

const one = () => {
  const transaction = newTransaction("id");
  transaction.producerId = 0x0102;
  transaction.producerEpoch = 3;
  transaction.timeoutMs = 60_000;
  transaction.state = TransactionState.ONGOING;
  transaction.partitions.set("t", new Set([1]));
  transaction.startMs = 5;
  transaction.updateMs = 6;
  return transaction;
};
const hex = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString("hex");

test("key and value are Kafka's, byte by byte, in both versions", () => {
  const old = encodeTransaction(one(), 0);
  expect(hex(old.key)).toBe("000000026964");
  expect(hex(old.value)).toBe(
    "0000" + // version
      "0000000000000102" + // producer id
      "0003" + // epoch
      "0000ea60" + // timeout
      "01" + // Ongoing
      "00000001" + // one topic
      "000174" +
      "0000000100000001" +
      "0000000000000006" + // last update
      "0000000000000005", // start
  );
  const transaction = { ...one(), previousProducerId: 7, nextProducerId: 8, clientVersion: 2 };
  expect(hex(encodeTransaction(transaction, 1).value)).toBe(
    "0001" +
      "0000000000000102" +
      "0003" +
      "0000ea60" +
      "01" +
      "02" +
      "0274" +
      "020000000100" +
      "0000000000000006" +
      "0000000000000005" +
      "03" + // three tagged fields
      "00080000000000000007" + // previous producer id
      "01080000000000000008" + // next producer id
      "02020002", // client transaction version
  );
});

test("what is written is read again; a null value removes", () => {
  for (const version of [0, 1] as const) {
    const { key, value } = encodeTransaction(one(), version);
    expect(decodeTransactionKey(key)).toBe("id");
    expect(decodeTransactionValue("id", value as Uint8Array)).toEqual(one());
  }
  expect(forgetTransaction("id")).toEqual({ key: encodeTransaction(one(), 0).key, value: null });
});

test("other versions are left alone, damaged values are refused", () => {
  const { key, value } = encodeTransaction(one(), 1);
  const bytes = value as Uint8Array;
  expect(decodeTransactionKey(Uint8Array.of(0, 1, 0, 0))).toBeNull();
  expect(decodeTransactionKey(Uint8Array.of(0))).toBeNull();
  const newer = bytes.slice();
  newer[1] = 2;
  expect(decodeTransactionValue("id", newer)).toBeNull();
  const unknownState = bytes.slice();
  unknownState[16] = 9;
  expect(decodeTransactionValue("id", unknownState)).toBeNull();
  for (let length = 2; length < bytes.length; length += 1) {
    expect(() => decodeTransactionValue("id", bytes.slice(0, length))).toThrow(DecodeError);
  }
  expect(() => decodeTransactionKey(key.slice(0, 4))).toThrow(DecodeError);
});

const specification = join(
  import.meta.dir,
  "../../../../shared/spec/kafka-messages/transaction-coordinator/TransactionLogValue.json",
);
const hasSpecification = existsSync(specification);

test.skipIf(!hasSpecification)(
  `the fields are those of the specification${hasSpecification ? "" : " (skipped: it is not beside the checkout)"}`,
  () => {
    const text = readFileSync(specification, "utf8").replaceAll(/^\s*\/\/.*$/gm, "");
    const { fields, validVersions } = JSON.parse(text) as {
      fields: { name: string; tag?: number }[];
      validVersions: string;
    };
    expect(validVersions).toBe("0-1");
    const tags = fields.flatMap(({ name, tag }) => (tag === undefined ? [] : [`${tag} ${name}`]));
    expect(tags.sort()).toEqual([
      "0 PreviousProducerId",
      "1 NextProducerId",
      "2 ClientTransactionVersion",
      "3 NextProducerEpoch",
    ]);
    expect(fields.filter(({ tag }) => tag === undefined).map(({ name }) => name)).toEqual([
      "ProducerId",
      "ProducerEpoch",
      "TransactionTimeoutMs",
      "TransactionStatus",
      "TransactionPartitions",
      "TransactionLastUpdateTimestampMs",
      "TransactionStartTimestampMs",
    ]);
  },
);
