import { Client, type ClientError, Connection } from "@mantou/client";
import { encodeBatch, ErrorCode, errorName, produceApi } from "@mantou/protocol";
import { HOST, type RunningBroker } from "./brokers.ts";

const RETRY_MS = 2;
const START_TIMEOUT_MS = 120_000;
/** From version 13 on a topic is named by its id, which would take a Metadata request first. */
const PRODUCE_VERSION_MAX = 12;

/** Waits until a broker answers; gives a client. Throws with its log when it exits. */
export async function connectWhenReady(broker: RunningBroker): Promise<Client> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const client = await Client.connect({ brokers: broker.address });
      await client.admin.metadata([]);
      return client;
    } catch (error) {
      await wait(broker, deadline, error);
    }
  }
}

/**
 * Milliseconds from the start of a broker's process to its first answer to a produce request with
 * acks=all that took the batch. The topic was there before.
 */
export async function measureFirstAck(broker: RunningBroker, topic: string): Promise<number> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  const value = new TextEncoder().encode("first");
  const records = encodeBatch([{ value, timestamp: Date.now() }]);
  const partitionData = [{ index: 0, records }];
  const request = { acks: -1, timeoutMs: 30_000, topicData: [{ name: topic, partitionData }] };
  let connection: Connection | null = null;
  for (;;) {
    try {
      connection ??= await Connection.open({ host: HOST, port: broker.port });
      const version = connection.versions.pick(produceApi, PRODUCE_VERSION_MAX);
      const answer = await connection.send(produceApi, version, request);
      const code = answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
      if (code === ErrorCode.NONE) {
        const milliseconds = performance.now() - broker.spawnedAtMs;
        connection.close();
        return milliseconds;
      }
      await wait(broker, deadline, errorName(code));
    } catch (error) {
      connection?.close();
      connection = null;
      await wait(broker, deadline, error);
    }
  }
}

async function wait(broker: RunningBroker, deadline: number, why: unknown): Promise<void> {
  if (!broker.hasExited() && performance.now() < deadline) {
    await Bun.sleep(RETRY_MS);
    return;
  }
  const reason = (why as ClientError).message ?? String(why);
  throw new Error(`${broker.system} did not start: ${reason}\n${await broker.log()}`);
}
