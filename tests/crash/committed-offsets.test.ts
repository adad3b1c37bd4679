import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { Client, Connection } from "@mantou/client";
import { ErrorCode, findCoordinatorApi, offsetCommitApi, offsetFetchApi } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";

/**
 * kill -9 while groups commit: what was acknowledged is there afterwards, and nothing that nobody
 * sent. MANTOU_LONG=1 runs 100 rounds. MANTOU_SEED repeats a run's choices (not its timing).
 */
const ROUNDS = process.env["MANTOU_LONG"] === "1" ? 100 : 4;
const GROUPS = 12;
const TOPIC = "read";
const WAIT_MS_MAX = 60_000;

const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);

/** What is known of one group's offset: the last one sent, and the last one acknowledged. */
interface Commits {
  readonly groupId: string;
  sent: number;
  acknowledged: number;
}

const retriable = new Set<number>([
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.NOT_COORDINATOR,
]);

/** Commits one offset after the other until the broker is gone. */
async function commitUntilDead(port: number, commits: Commits): Promise<void> {
  try {
    const connection = await Connection.open({ host: "127.0.0.1", port });
    try {
      for (;;) {
        const committedOffset = commits.sent + 1;
        commits.sent = committedOffset;
        const { topics } = await connection.send(offsetCommitApi, 9, {
          ...{ groupId: commits.groupId, generationIdOrMemberEpoch: -1, memberId: "" },
          topics: [
            {
              name: TOPIC,
              partitions: [{ partitionIndex: 0, committedOffset, committedMetadata: null }],
            },
          ],
        });
        const errorCode = topics[0]?.partitions[0]?.errorCode ?? -1;
        if (errorCode === ErrorCode.NONE) commits.acknowledged = committedOffset;
        else expect(retriable.has(errorCode), `error ${errorCode}`).toBe(true);
      }
    } finally {
      connection.close();
    }
  } catch (error) {
    // The broker was killed; a failed expectation is not that.
    if (error instanceof Error && error.message.includes("expect(")) throw error;
  }
}

async function committedOffset(port: number, groupId: string): Promise<number> {
  const connection = await Connection.open({ host: "127.0.0.1", port });
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  try {
    for (;;) {
      const { groups } = await connection.send(offsetFetchApi, 8, {
        groups: [{ groupId, topics: [{ name: TOPIC, partitionIndexes: [0] }] }],
      });
      const [group] = groups;
      if (group?.errorCode === ErrorCode.NONE) {
        return group.topics[0]?.partitions[0]?.committedOffset ?? -1;
      }
      expect(retriable.has(group?.errorCode ?? -1), `error ${group?.errorCode}`).toBe(true);
      expect(performance.now()).toBeLessThan(deadlineMs);
      await Bun.sleep(5);
    }
  } finally {
    connection.close();
  }
}

async function createTopics(broker: BrokerProcess): Promise<void> {
  const client = await Client.connect({ brokers: broker.address });
  await client.admin.createTopic({ name: TOPIC, partitions: 1 });
  client.abort();
  const connection = await Connection.open({ host: "127.0.0.1", port: broker.port });
  const found = await connection.send(findCoordinatorApi, 3, { key: "group-0" });
  expect(found.errorCode).toBe(ErrorCode.NONE);
  connection.close();
}

test(
  `${ROUNDS} rounds of kill -9 under commits lose none that was acknowledged`,
  async () => {
    using folder = temporaryFolder();
    const prng = new Prng(seed);
    const all: Commits[] = Array.from({ length: GROUPS }, (_, index) => ({
      groupId: `group-${index}`,
      sent: 0,
      acknowledged: -1,
    }));
    let broker = await BrokerProcess.start({ dataDirectory: folder.path });
    try {
      await createTopics(broker);
      for (let round = 0; round < ROUNDS; round += 1) {
        const working = all.map((commits) => commitUntilDead(broker.port, commits));
        const goal = all.map(({ acknowledged }) => acknowledged + 1 + prng.below(30));
        const deadlineMs = performance.now() + WAIT_MS_MAX;
        const isDone = (): boolean =>
          all.every(({ acknowledged }, index) => acknowledged >= (goal[index] as number));
        while (!isDone() && performance.now() < deadlineMs) await Bun.sleep(2);
        expect(isDone(), `no progress, seed ${seed}\n${broker.log}`).toBe(true);
        await broker.kill();
        await Promise.all(working);
        broker = await BrokerProcess.start({ dataDirectory: folder.path });
        for (const commits of all) {
          const found = await committedOffset(broker.port, commits.groupId);
          const what = `${commits.groupId}, round ${round}, seed ${seed}`;
          expect(found, what).toBeGreaterThanOrEqual(commits.acknowledged);
          expect(found, what).toBeLessThanOrEqual(commits.sent);
          commits.acknowledged = found;
        }
      }
    } finally {
      await broker.kill();
    }
  },
  ROUNDS * WAIT_MS_MAX,
);
