import { BrokerError, type Client, type Connection, retrying } from "@mantou/client";
import { findCoordinatorApi } from "@mantou/protocol";

const TIMEOUT_MS = 60_000;

/** A connection to the coordinator; the first question makes the broker create its topic. */
export function coordinatorOf(
  client: Client,
  kind: "group" | "transaction",
  key: string,
): Promise<Connection> {
  return retrying(TIMEOUT_MS, async () => {
    const connection = await client.cluster.any();
    const keyType = kind === "group" ? 0 : 1;
    const answer = await connection.send(findCoordinatorApi, 1, { key, keyType });
    if (answer.errorCode !== 0) throw new BrokerError(answer.errorCode, `coordinator of ${key}`);
    return client.cluster.broker(answer.nodeId);
  });
}
