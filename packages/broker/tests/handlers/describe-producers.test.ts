import { expect, test } from "bun:test";
import { ErrorCode, describeProducersApi } from "@mantou/protocol";
import { handleDescribeProducers } from "../../src/handlers/describe-producers.ts";
import { HandlerContext, ask } from "./handler-context.ts";

test("DescribeProducers", async () => {
  const broker = new HandlerContext();
  broker.join(2);
  broker.create("t", 2);
  broker.create("elsewhere", 1, [2]);
  broker.create("follower", 1, [2, 1]);
  const logId = broker.fill("t", 1, 3);
  broker.producers.record(logId, 77, 4, 9, 2, 0, 1234, 0);
  const topic = (name: string, ...partitionIndexes: number[]) => ({ name, partitionIndexes });
  const response = await ask(broker, describeProducersApi, handleDescribeProducers, 0, {
    topics: [topic("t", 0, 1, 2), topic("elsewhere", 0), topic("follower", 0), topic("x", 0)],
  });
  const codes = response.topics.map(({ name, partitions }) => [
    name,
    ...partitions.map(({ errorCode }) => errorCode),
  ]);
  expect(codes).toEqual([
    ["t", 0, 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ["elsewhere", ErrorCode.NOT_LEADER_OR_FOLLOWER],
    ["follower", ErrorCode.NOT_LEADER_OR_FOLLOWER],
    ["x", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  ]);
  expect(response.topics[0]?.partitions.map(({ activeProducers }) => activeProducers)).toEqual([
    [],
    [
      {
        producerId: 77,
        producerEpoch: 4,
        lastSequence: 11,
        lastTimestamp: 1234,
        coordinatorEpoch: -1,
        currentTxnStartOffset: -1,
      },
    ],
    [],
  ]);
});
