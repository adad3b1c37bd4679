import { ErrorCode } from "@mantou/protocol";
import type { ItemReply } from "../commands.ts";
import type { CatalogImage } from "../image.ts";
import type { RecordOf } from "../records.ts";
import { refused } from "./replies.ts";
import type { Uuid } from "@mantou/base";

/** What speaks against replicas that a person chose for one partition. */
export function assignmentFault(
  image: CatalogImage,
  partition: number,
  brokerIds: readonly number[],
  replicationFactor: number,
): ItemReply | null {
  const refuse = (message: string): ItemReply =>
    refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, `partition ${partition}: ${message}`);
  if (brokerIds.length === 0) return refuse("the assignment names no broker");
  if (new Set(brokerIds).size !== brokerIds.length) return refuse("a broker is named twice");
  for (const nodeId of brokerIds) {
    if (image.broker(nodeId) === undefined) return refuse(`there is no broker ${nodeId}`);
  }
  if (brokerIds.length !== replicationFactor) {
    return refuse(`${brokerIds.length} replicas where others have ${replicationFactor}`);
  }
  if (!brokerIds.some((nodeId) => image.isAlive(nodeId))) {
    return refuse("none of its brokers is alive");
  }
  return null;
}

/**
 * New partitions with these replicas, `width` to each: those alive are in sync (nothing was
 * written yet), and the first of them leads.
 */
export function newPartitions(
  image: CatalogImage,
  topicId: Uuid,
  firstPartition: number,
  width: number,
  replicas: Int32Array,
): RecordOf<"partitions"> {
  const count = replicas.length / width;
  const isr = new Int32Array(replicas.length).fill(-1);
  const leaders = new Int32Array(count);
  for (let partition = 0; partition < count; partition += 1) {
    const from = partition * width;
    const alive = replicas.subarray(from, from + width).filter((node) => image.isAlive(node));
    isr.set(alive, from);
    leaders[partition] = alive[0] as number;
  }
  return {
    kind: "partitions",
    topicId,
    firstPartition,
    width,
    replicas,
    isr,
    leaders,
    leaderEpochs: new Int32Array(count),
    partitionEpochs: new Int32Array(count),
  };
}
