import type { Client } from "@mantou/client";
import { describeQuorumApi } from "@mantou/protocol";
import { Failure } from "./failure.ts";

/** Kafka's name of the topic that the metadata quorum replicates. */
const METADATA_TOPIC = "__cluster_metadata";

/** The state of the metadata quorum. Throws Failure or ClientError. */
export async function describeQuorum(client: Client) {
  const connection = await client.cluster.any();
  const topics = [{ topicName: METADATA_TOPIC, partitions: [{ partitionIndex: 0 }] }];
  const answer = await client.cluster.call(connection, describeQuorumApi, { topics });
  const partition = answer.topics[0]?.partitions[0];
  const errorCode = answer.errorCode || (partition?.errorCode ?? -1);
  if (errorCode !== 0 || partition === undefined) {
    const why = answer.errorMessage ?? partition?.errorMessage ?? `error ${errorCode}`;
    throw new Failure("QUORUM", `the quorum cannot be described: ${why}`);
  }
  return partition;
}
