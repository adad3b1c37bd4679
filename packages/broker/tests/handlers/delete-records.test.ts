import { describe, expect, test } from "bun:test";
import { ErrorCode, deleteRecordsApi } from "@mantou/protocol";
import { handleDeleteRecords } from "../../src/handlers/delete-records.ts";
import { HandlerContext, ask, versionsOf } from "./handler-context.ts";

async function remove(
  broker: HandlerContext,
  version: number,
  name: string,
  ...offsets: [partition: number, offset: number][]
) {
  const partitions = offsets.map(([partitionIndex, offset]) => ({ partitionIndex, offset }));
  const request = { topics: [{ name, partitions }], timeoutMs: 1000 };
  const response = await ask(broker, deleteRecordsApi, handleDeleteRecords, version, request);
  return response.topics[0]?.partitions.map(({ lowWatermark, errorCode }) => [
    errorCode,
    lowWatermark,
  ]);
}

describe("DeleteRecords", () => {
  test.each(versionsOf(deleteRecordsApi))("v%d moves the start", async (version) => {
    const broker = new HandlerContext();
    broker.create("t", 2);
    const first = broker.fill("t", 0, 10);
    const second = broker.fill("t", 1, 20);
    expect(await remove(broker, version, "t", [0, 4], [1, -1])).toEqual([
      [0, 4],
      [0, 20],
    ]);
    expect(broker.partitions.logStartOffset(first)).toBe(4);
    expect(broker.fakeLogs.startOffsets.get(second)).toBe(20);
    expect(broker.moved.sort()).toEqual([first, second]);
  });

  test("what is gone already is no error; what is not committed is", async () => {
    const broker = new HandlerContext();
    broker.create("t");
    const id = broker.fill("t", 0, 10);
    broker.partitions.appended(id, 15);
    await remove(broker, 2, "t", [0, 5]);
    expect(await remove(broker, 2, "t", [0, 3])).toEqual([[0, 5]]);
    expect(await remove(broker, 2, "t", [0, 11])).toEqual([[ErrorCode.OFFSET_OUT_OF_RANGE, -1]]);
    expect(await remove(broker, 2, "t", [0, -2])).toEqual([[ErrorCode.OFFSET_OUT_OF_RANGE, -1]]);
    expect(broker.moved).toHaveLength(1);
  });

  test("errors are per partition", async () => {
    const broker = new HandlerContext();
    broker.join(2);
    broker.create("t");
    broker.create("follower", 1, [2, 1]);
    broker.create("__consumer_offsets");
    expect(await remove(broker, 2, "t", [0, 0], [1, 0])).toEqual([
      [0, 0],
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1],
    ]);
    expect(await remove(broker, 2, "x", [0, 0])).toEqual([
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1],
    ]);
    expect(await remove(broker, 2, "follower", [0, 0])).toEqual([
      [ErrorCode.NOT_LEADER_OR_FOLLOWER, -1],
    ]);
    expect(await remove(broker, 2, "__consumer_offsets", [0, 0])).toEqual([
      [ErrorCode.INVALID_TOPIC_EXCEPTION, -1],
    ]);
  });

  test("a disk that says no is a storage error", async () => {
    const broker = new HandlerContext();
    broker.create("t");
    const id = broker.fill("t", 0, 10);
    broker.fakeLogs.failing = true;
    expect(await remove(broker, 2, "t", [0, 5])).toEqual([[ErrorCode.KAFKA_STORAGE_ERROR, -1]]);
    broker.partitions.failed(id);
    expect(await remove(broker, 2, "t", [0, 5])).toEqual([[ErrorCode.KAFKA_STORAGE_ERROR, -1]]);
    expect(broker.partitions.logStartOffset(id)).toBe(0);
  });

  test("a topic may be deleted at any moment of it", async () => {
    const broker = new HandlerContext();
    broker.create("t");
    const id = broker.fill("t", 0, 10);
    // Between the trim and the answer, as a metadata entry that was committed meanwhile.
    broker.moved.push = () => {
      queueMicrotask(() => broker.partitions.closed(id));
      return 0;
    };
    expect(await remove(broker, 2, "t", [0, 5])).toEqual([[0, 5]]);
    const gone = [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1];
    for (const failing of [false, true]) {
      const name = `during-${failing}`;
      broker.create(name);
      const other = broker.fill(name, 0, 10);
      const { fakeLogs } = broker;
      const trim = fakeLogs.trim.bind(fakeLogs);
      fakeLogs.failing = failing;
      fakeLogs.trim = async (...args) => {
        broker.partitions.closed(other);
        return trim(...args);
      };
      expect(await remove(broker, 2, name, [0, 5])).toEqual([gone]);
      fakeLogs.trim = trim;
    }
  });
});
