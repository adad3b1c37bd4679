import { expect, test } from "bun:test";
import { ErrorCode, createPartitionsApi } from "@mantou/protocol";
import { handleCreatePartitions } from "../../src/handlers/create-partitions.ts";
import { HandlerContext, ask, versionsOf } from "./handler-context.ts";

test.each(versionsOf(createPartitionsApi))("CreatePartitions v%d", async (version) => {
  const broker = new HandlerContext();
  broker.create("t");
  const topic = (name: string, count: number, brokerIds?: number[]) => ({
    name,
    count,
    assignments: brokerIds === undefined ? null : [{ brokerIds }],
  });
  const grow = (validateOnly: boolean) =>
    ask(broker, createPartitionsApi, handleCreatePartitions, version, {
      topics: [topic("t", 3), topic("nobody", 3), topic("u", 2, [9])],
      timeoutMs: 1000,
      validateOnly,
    });
  broker.create("u");
  for (const validateOnly of [true, false]) {
    const { results } = await grow(validateOnly);
    expect(results.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ["t", ErrorCode.NONE],
      ["nobody", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
      ["u", ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    ]);
    expect(broker.image.topicByName("t")?.partitionCount).toBe(validateOnly ? 1 : 3);
  }
  const again = await grow(false);
  expect(again.results[0]?.errorCode).toBe(ErrorCode.INVALID_PARTITIONS);
});
