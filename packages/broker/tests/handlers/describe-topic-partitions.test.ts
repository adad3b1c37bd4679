import { describe, expect, test } from "bun:test";
import {
  type DescribeTopicPartitionsRequestInput,
  ErrorCode,
  describeTopicPartitionsApi,
} from "@mantou/protocol";
import { handleDescribeTopicPartitions } from "../../src/handlers/describe-topic-partitions.ts";
import { HandlerContext, ask } from "./handler-context.ts";

type Cursor = DescribeTopicPartitionsRequestInput["cursor"];

function newCluster(limit = "2000"): HandlerContext {
  const broker = new HandlerContext({ "max.request.partition.size.limit": limit });
  broker.create("b", 3);
  broker.create("a", 2);
  broker.create("c", 1);
  return broker;
}

async function page(
  broker: HandlerContext,
  names: string[],
  responsePartitionLimit: number,
  cursor: Cursor = null,
) {
  const request = { topics: names.map((name) => ({ name })), responsePartitionLimit, cursor };
  const handle = handleDescribeTopicPartitions;
  const response = await ask(broker, describeTopicPartitionsApi, handle, 0, request);
  const topics = response.topics.map(
    ({ name, errorCode, partitions }) =>
      `${name} ${errorCode} ${partitions.map(({ partitionIndex }) => partitionIndex)}`,
  );
  return { topics, next: response.nextCursor };
}

describe("DescribeTopicPartitions", () => {
  test("everything, sorted", async () => {
    expect(await page(newCluster(), [], 2000)).toEqual({
      topics: ["a 0 0,1", "b 0 0,1,2", "c 0 0"],
      next: null,
    });
  });

  test("named topics, sorted, each once; the unknown and the illegal have errors", async () => {
    expect(await page(newCluster(), ["c", "x", "a", "b@d", "a"], 2000)).toEqual({
      topics: [
        "a 0 0,1",
        `b@d ${ErrorCode.INVALID_TOPIC_EXCEPTION} `,
        "c 0 0",
        `x ${ErrorCode.UNKNOWN_TOPIC_OR_PARTITION} `,
      ],
      next: null,
    });
  });

  test("pages follow each other without gap or repetition, for every size", async () => {
    const broker = newCluster();
    for (let limit = 1; limit <= 7; limit += 1) {
      const seen: string[] = [];
      let cursor: Cursor = null;
      do {
        const { topics, next } = await page(broker, [], limit, cursor);
        for (const topic of topics) {
          const [name, , list = ""] = topic.split(" ");
          seen.push(...list.split(",").map((index) => `${name}${index}`));
        }
        cursor = next;
      } while (cursor !== null);
      expect([limit, seen]).toEqual([limit, ["a0", "a1", "b0", "b1", "b2", "c0"]]);
    }
  });

  test("the broker's limit holds whatever the client asks for; nothing is below one", async () => {
    const limited = await page(newCluster("2"), [], 2000);
    expect(limited.next).toEqual({ topicName: "b", partitionIndex: 0 });
    expect((await page(newCluster(), [], -5)).topics).toEqual(["a 0 0"]);
  });

  test("a cursor may name what is gone since, and nothing impossible", async () => {
    const broker = newCluster();
    expect((await page(broker, [], 9, { topicName: "aa", partitionIndex: 5 })).topics).toEqual([
      "b 0 0,1,2",
      "c 0 0",
    ]);
    expect((await page(broker, [], 9, { topicName: "b", partitionIndex: 9 })).topics).toEqual([
      "b 0 ",
      "c 0 0",
    ]);
    expect((await page(broker, ["a"], 9, { topicName: "a", partitionIndex: -1 })).topics).toEqual([
      `a ${ErrorCode.INVALID_REQUEST} `,
    ]);
  });
});
