import { expect, test } from "bun:test";
import { type LogId, offset } from "@mantou/base";
import { IoError, type LogStore } from "@mantou/io";
import { ErrorCode, type ListOffsetsRequest } from "@mantou/protocol";
import { handleListOffsets } from "../../src/handlers/list-offsets.ts";
import { HandlerContext, call, settle } from "./handler-context.ts";

type FindTimestamp = LogStore["findTimestamp"];

/** Asks every partition of `t` for the first record, of a disk that answers as it is told. */
async function ask(broker: HandlerContext, count: number, findTimestamp: FindTimestamp) {
  const context = { ...broker.context, logs: { findTimestamp } as LogStore };
  const partitions = Array.from({ length: count }, (_, partitionIndex) => ({
    partitionIndex,
    currentLeaderEpoch: -1,
    timestamp: 0,
  }));
  const request: ListOffsetsRequest = {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: "t", partitions }],
    timeoutMs: 0,
  };
  const response = await settle(handleListOffsets(context, call(10), request));
  return response.topics[0]?.partitions.map(({ errorCode }) => errorCode);
}

function brokerWith(partitions: number): { broker: HandlerContext; logs: LogId[] } {
  const broker = new HandlerContext();
  broker.create("t", partitions);
  const logs = Array.from({ length: partitions }, (_, index) => broker.fill("t", index, 10));
  return { broker, logs };
}

test("a topic that is deleted while the disk works is unknown", async () => {
  const { broker, logs } = brokerWith(2);
  const codes = await ask(broker, 2, async (logId) => {
    broker.partitions.closed(logId);
    if (logId === logs[1]) throw new IoError("UNKNOWN_LOG", "it is gone");
    return { offset: offset(3), timestamp: 5 };
  });
  const gone = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  expect(codes).toEqual([gone, gone]);
});

test("a disk that says no is a storage error", async () => {
  const { broker } = brokerWith(1);
  const codes = await ask(broker, 1, async () => {
    throw new IoError("EIO", "the disk says no");
  });
  expect(codes).toEqual([ErrorCode.KAFKA_STORAGE_ERROR]);
});

test("one request does not take all of the disk threads' queue", async () => {
  const { broker } = brokerWith(1000);
  let underWay = 0;
  let most = 0;
  const codes = await ask(broker, 1000, async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await Promise.resolve();
    underWay -= 1;
    return null;
  });
  expect(codes).toEqual(Array.from({ length: 1000 }, () => ErrorCode.NONE));
  expect(most).toBeLessThanOrEqual(256);
});
