import { BrokerError, type Client, type Connection, retrying } from "@mantou/client";
import { ErrorCode, offsetCommitApi } from "@mantou/protocol";
import { coordinatorOf } from "./coordinator.ts";

const GROUPS = 50;
const IN_FLIGHT = 4;
const PARTITIONS = 10;
const TIMEOUT_MS = 60_000;
/** The last version that names topics. */
const VERSION = 9;

/** Many groups commit ten partitions each, four requests under way per group. Gives commits/s. */
export async function commitsPerSecond(
  client: Client,
  topic: string,
  seconds: number,
): Promise<number> {
  const groups = Array.from({ length: GROUPS }, (_, index) => `committer-${index}`);
  const connections = await Promise.all(
    groups.map((group) => coordinatorOf(client, "group", group)),
  );
  let committed = 0;
  const deadline = performance.now() + seconds * 1000;
  const beganAtMs = performance.now();
  await Promise.all(
    groups.flatMap((group, index) =>
      Array.from({ length: IN_FLIGHT }, async () => {
        for (let offset = 1; performance.now() < deadline; offset += 1) {
          // A coordinator may still be loading at first.
          const connection = connections[index] as Connection;
          await retrying(TIMEOUT_MS, () => commit(connection, group, topic, offset));
          committed += 1;
        }
      }),
    ),
  );
  return committed / ((performance.now() - beganAtMs) / 1000);
}

async function commit(
  connection: Connection,
  groupId: string,
  name: string,
  offset: number,
): Promise<void> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({
    partitionIndex,
    committedOffset: offset,
    committedMetadata: "",
  }));
  const request = { groupId, topics: [{ name, partitions }] };
  const answer = await connection.send(offsetCommitApi, VERSION, request);
  const failed = answer.topics[0]?.partitions.find(({ errorCode }) => errorCode !== ErrorCode.NONE);
  if (failed !== undefined) throw new BrokerError(failed.errorCode, "OffsetCommit");
}
