import { expect, test } from "bun:test";
import { describeLogDirsApi } from "@mantou/protocol";
import { handleDescribeLogDirs } from "../../src/handlers/describe-log-dirs.ts";
import { HandlerContext, ask, versionsOf } from "./handler-context.ts";

test.each(versionsOf(describeLogDirsApi))("DescribeLogDirs v%d", async (version) => {
  const broker = new HandlerContext({ "log.dirs": "/data" });
  broker.join(2);
  broker.create("elsewhere", 1, [2]);
  broker.create("b", 2);
  broker.create("a", 1);
  const describe = async (topics: { topic: string; partitions: number[] }[] | null) =>
    ask(broker, describeLogDirsApi, handleDescribeLogDirs, version, { topics });
  const all = await describe(null);
  expect(all.errorCode).toBe(0);
  expect(all.results).toHaveLength(1);
  expect(all.results[0]).toMatchObject({
    errorCode: 0,
    logDir: "/data",
    usableBytes: version >= 4 ? 5_000_000 : -1,
    totalBytes: version >= 4 ? 9_000_000 : -1,
  });
  const sizes = (response: typeof all) =>
    response.results[0]?.topics.map(({ name, partitions }) => [
      name,
      partitions.map(({ partitionIndex, partitionSize }) => [partitionIndex, partitionSize]),
    ]);
  // The fake store gives 1000 and the log's id.
  expect(sizes(all)).toEqual([
    ["a", [[0, 1002]]],
    [
      "b",
      [
        [0, 1000],
        [1, 1001],
      ],
    ],
  ]);
  const some = await describe([
    { topic: "b", partitions: [1, 1, 9] },
    { topic: "nobody", partitions: [0] },
    { topic: "elsewhere", partitions: [0] },
  ]);
  expect(sizes(some)).toEqual([["b", [[1, 1001]]]]);
});
