import { afterAll, beforeAll, expect, test } from "bun:test";
import { Client, type Connection } from "@mantou/client";
import { ErrorCode, listOffsetsApi, type ListOffsetsResponse } from "@mantou/protocol";
import { type InProcessBroker, startInProcess } from "./in-process-broker.ts";

let broker: InProcessBroker;
let client: Client;
let connection: Connection;
const name = "positions";

beforeAll(async () => {
  broker = await startInProcess();
  client = await Client.connect({ brokers: `127.0.0.1:${broker.port}` });
  connection = await broker.connect();
  await client.admin.createTopic({ name, partitions: 2 });
  const at = (timestamp: number) => ({ topic: name, partition: 0, value: "x", timestamp });
  await client.producer().sendAll([at(1000), at(3000), at(2000)]);
});

afterAll(async () => {
  connection.close();
  client.abort();
  await broker[Symbol.asyncDispose]();
});

type Answer = ListOffsetsResponse["topics"][number]["partitions"][number];

async function ask(
  timestamp: number,
  version: number,
  options: { partition?: number; topic?: string; currentLeaderEpoch?: number } = {},
): Promise<Answer> {
  const { partition = 0, topic = name, currentLeaderEpoch = -1 } = options;
  const partitions = [{ partitionIndex: partition, currentLeaderEpoch, timestamp }];
  const request = { replicaId: -1, topics: [{ name: topic, partitions }] };
  const response = await connection.send(listOffsetsApi, version, request);
  return response.topics[0]?.partitions[0] as Answer;
}

const versions = Array.from(
  { length: listOffsetsApi.maxVersion - listOffsetsApi.minVersion + 1 },
  (_, index) => listOffsetsApi.minVersion + index,
);

for (const version of versions) {
  test(`positions and timestamps in version ${version}`, async () => {
    // Versions below 4 have no epoch in the answer; kafkajs and sarama speak those.
    const leaderEpoch = version >= 4 ? 0 : -1;
    const found = (offset: number, timestamp: number) => ({
      ...{ partitionIndex: 0, errorCode: ErrorCode.NONE, offset, timestamp, leaderEpoch },
    });
    expect(await ask(-1, version)).toEqual(found(3, -1));
    expect(await ask(-2, version)).toEqual(found(0, -1));
    expect(await ask(0, version)).toEqual(found(0, 1000));
    expect(await ask(1001, version)).toEqual(found(1, 3000));
    expect(await ask(3001, version)).toEqual({ ...found(-1, -1), leaderEpoch: -1 });
    const largest = version >= 7 ? found(1, 3000) : null;
    expect(await ask(-3, version)).toMatchObject(
      largest ?? { errorCode: ErrorCode.UNSUPPORTED_VERSION, offset: -1 },
    );
  });
}

test("a special timestamp below its version, and one that nobody knows", async () => {
  const first: readonly (readonly [number, number])[] = [
    [-4, 8],
    [-5, 9],
    [-6, 11],
    [-7, Infinity],
  ];
  for (const [timestamp, since] of first) {
    for (const version of versions) {
      const { errorCode } = await ask(timestamp, version);
      const expected = version < since ? ErrorCode.UNSUPPORTED_VERSION : ErrorCode.NONE;
      expect(errorCode, `${timestamp} in version ${version}`).toBe(expected);
    }
  }
});

test("an empty partition, an unknown one, and epochs that do not fit", async () => {
  expect(await ask(0, 11, { partition: 1 })).toMatchObject({ errorCode: 0, offset: -1 });
  expect(await ask(-1, 11, { partition: 1 })).toMatchObject({ errorCode: 0, offset: 0 });
  expect((await ask(-1, 11, { partition: 7 })).errorCode).toBe(
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  );
  expect((await ask(-1, 11, { topic: "none" })).errorCode).toBe(
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  );
  expect((await ask(-1, 11, { currentLeaderEpoch: 1 })).errorCode).toBe(
    ErrorCode.UNKNOWN_LEADER_EPOCH,
  );
});

test("a partition that is named twice", async () => {
  const partition = { partitionIndex: 0, timestamp: -1 };
  const response = await connection.send(listOffsetsApi, 7, {
    replicaId: -1,
    topics: [{ name, partitions: [partition, { partitionIndex: 1, timestamp: -1 }, partition] }],
  });
  const codes = response.topics[0]?.partitions.map(({ errorCode }) => errorCode);
  // One answer for it, whichever of them would have been right.
  expect(codes).toEqual([ErrorCode.INVALID_REQUEST, ErrorCode.NONE]);
});
