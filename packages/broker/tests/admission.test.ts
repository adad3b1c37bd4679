import { expect, test } from "bun:test";
import { type LogId, type Millis, logId } from "@mantou/base";
import { type TopicConfig, newImage, parseBrokerConfig, resolveTopicConfig } from "@mantou/catalog";
import type { Arena, LogStore } from "@mantou/io";
import { Inspect, InspectCode, type Table } from "@mantou/io";
import { ErrorCode, encodeBatch } from "@mantou/protocol";
import { PartitionTable, ProducerStates } from "@mantou/replication";
import { ProduceStage } from "../src/handlers/produce.ts";
import type { PlanWriter } from "../src/plan-writer.ts";
import { Admission } from "../src/produce/admission.ts";
import type { PartitionAnswer } from "../src/produce/pending-produce.ts";
import { Waiters } from "../src/produce/waiters.ts";

const log = logId(7);
const clock = { wallMs: () => Date.now() as Millis, monotonicMs: () => 0 };
const bytes = encodeBatch([{ value: Uint8Array.of(1), timestamp: Date.now() }]);

/** The produce stage over one partition, with a store that takes everything. */
function stage(verdict: number = InspectCode.OK, limitsOfTopic: Partial<TopicConfig> = {}) {
  const partitions = new PartitionTable(1);
  const epochs = { leader: true, leaderEpoch: 0, corruptFromOffset: null };
  partitions.opened(log, { ...epochs, startOffset: 3, endOffset: 5 });
  const appended: number[] = [];
  const logs = {
    inspect(table: Table, rows: number): void {
      for (let row = 0; row < rows; row += 1) {
        table.setWord(row, Inspect.code, verdict);
        table.setWord(row, Inspect.recordIndex, 0xffff_ffff);
      }
    },
    append: (_table: Table, rows: number): void => void appended.push(rows),
  } as unknown as LogStore;
  const started = parseBrokerConfig([]);
  if (!started.ok) throw new Error(started.error.join());
  const config = { ...resolveTopicConfig(newImage(), started.value, "t"), ...limitsOfTopic };
  const configOf = (asked: LogId) => {
    if (!partitions.isOpen(asked)) throw new Error("a closed log has no config");
    return config;
  };
  const waiters = { untilWritten: new Waiters(), untilCommitted: new Waiters() };
  const limits = { producersPerPartitionMax: 9, producersMax: 9, producerIdExpirationMs: 9 };
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const common = { partitions, clock, configOf, ...waiters };
  const admission = new Admission({
    ...common,
    logs,
    arena: { view } as Arena,
    producers: new ProducerStates(limits),
    verifiesPartitions: () => true,
    writer: { release: () => undefined } as unknown as PlanWriter,
  });
  const answers: PartitionAnswer[] = [];
  const produce = new ProduceStage({
    ...common,
    admission,
    resolve: () => ({ logId: log }),
    storeAccepts: () => true,
    answer: (_call, { responses }) =>
      answers.push(...responses.flatMap((each) => each.partitionResponses)),
    skip: () => undefined,
    close: () => undefined,
    gate: () => ({ admits: () => true }),
  });
  return {
    ...{ produce, partitions, answers, appended },
    get codes() {
      return answers.map(({ errorCode }) => errorCode);
    },
  };
}

const call = {
  connection: 1,
  generation: 1,
  sequence: 0,
  apiKey: 0,
  version: 9,
  correlationId: 1,
  clientId: "",
  listenerId: 0,
};
const records = { offset: 0, length: bytes.length };
const request = {
  transactionalId: null,
  acks: -1,
  timeoutMs: 1000,
  topicData: [{ name: "t", topicId: "" as never, partitionData: [{ index: 0, records }] }],
};

// What happens to a log between the frame and the end of its tick: both events come in one drain.
test("a log that fails in the tick of a batch refuses it", () => {
  const tick = stage();
  const { produce, partitions, appended } = tick;
  produce.take(call, request, 0);
  partitions.failed(log);
  produce.flush();
  expect(tick.codes).toEqual([ErrorCode.KAFKA_STORAGE_ERROR]);
  expect(appended).toEqual([]);
});

test("clients of version 3 are told a storage error as one that they know", () => {
  const tick = stage();
  const { produce, partitions } = tick;
  partitions.failed(log);
  for (const version of [3, 4]) produce.take({ ...call, version }, request, 0);
  produce.flush();
  expect(tick.codes).toEqual([ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.KAFKA_STORAGE_ERROR]);
});

test("a log that is deleted in the tick of a batch refuses it", () => {
  const tick = stage();
  const { produce, partitions, appended } = tick;
  produce.take(call, request, 0);
  partitions.closed(log);
  produce.flush();
  expect(tick.codes).toEqual([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
  expect(appended).toEqual([]);
});

test("a log that is led elsewhere since the frame came refuses the batch", () => {
  const tick = stage();
  const { produce, partitions, appended } = tick;
  produce.take(call, request, 0);
  partitions.leadership(log, false, 1);
  produce.flush();
  expect(tick.codes).toEqual([ErrorCode.NOT_LEADER_OR_FOLLOWER]);
  expect(appended).toEqual([]);
});

test("records that hold no whole batch are refused for good, with the log's start", () => {
  const { produce, answers, appended } = stage(InspectCode.TRUNCATED);
  produce.take(call, request, 0);
  produce.flush();
  expect(answers).toMatchObject([
    { errorCode: ErrorCode.INVALID_RECORD, baseOffset: -1, logStartOffset: 3, recordErrors: [] },
  ]);
  expect(appended).toEqual([]);
});

test("a batch out of its time names the record at fault", () => {
  const { produce, answers } = stage(InspectCode.OK, {
    messageTimestampBeforeMaxMs: -2,
    messageTimestampAfterMaxMs: -2,
  });
  produce.take(call, request, 0);
  produce.flush();
  expect(answers).toMatchObject([
    {
      errorCode: ErrorCode.INVALID_TIMESTAMP,
      logStartOffset: 3,
      recordErrors: [{ batchIndex: 0 }],
    },
  ]);
});
