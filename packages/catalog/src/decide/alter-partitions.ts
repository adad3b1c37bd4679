import { ErrorCode } from "@mantou/protocol";
import type { AlterPartitions, AlteredPartition, Decision, ItemReply } from "../commands.ts";
import type { CatalogImage } from "../image.ts";
import { LEADER_UNCHANGED, type MetadataRecord } from "../records.ts";
import { accepted, refused } from "./replies.ts";

type Wanted = AlterPartitions["partitions"][number];

/** In-sync sets as their leaders see them. A stale view is refused by its epochs (KIP-497, 903). */
export function decideAlterPartitions(
  image: CatalogImage,
  command: AlterPartitions,
): Decision<readonly AlteredPartition[]> {
  const records: MetadataRecord[] = [];
  const taken = new Set<string>();
  const broker = image.broker(command.nodeId);
  const stale = broker === undefined || broker.epoch !== command.brokerEpoch;
  const reply = command.partitions.map((wanted): AlteredPartition => {
    const { topicId, partition } = wanted;
    const key = `${topicId}-${partition}`;
    const fault = stale
      ? refused(ErrorCode.STALE_BROKER_EPOCH, `broker ${command.nodeId} has registered again since`)
      : taken.has(key)
        ? refused(ErrorCode.INVALID_REQUEST, "a partition may be named once")
        : isrFault(image, command.nodeId, wanted);
    if (fault !== null) return { ...fault, topicId, partition, partitionEpoch: -1 };
    taken.add(key);
    records.push({
      kind: "partitionChange",
      topicId,
      partitions: Int32Array.of(partition),
      leader: LEADER_UNCHANGED,
      isr: Int32Array.from(wanted.isr),
    });
    return { ...accepted, topicId, partition, partitionEpoch: wanted.partitionEpoch + 1 };
  });
  return { records, reply };
}

function isrFault(image: CatalogImage, nodeId: number, wanted: Wanted): ItemReply | null {
  const { topicId, partition, isr } = wanted;
  const topic = image.topicById(topicId);
  if (topic === undefined) {
    return refused(ErrorCode.UNKNOWN_TOPIC_ID, `there is no topic with the id ${topicId}`);
  }
  if (partition < 0 || partition >= topic.partitionCount) {
    const message = `topic ${topic.name} has no partition ${partition}`;
    return refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message);
  }
  const leaderEpoch = topic.leaderEpochOf(partition);
  if (
    wanted.leaderEpoch > leaderEpoch ||
    wanted.partitionEpoch > topic.partitionEpochOf(partition)
  ) {
    // The asker has seen a newer state than this image: it is not the controller any more.
    return refused(ErrorCode.NOT_CONTROLLER, "the asker knows a newer state of the partition");
  }
  if (wanted.leaderEpoch < leaderEpoch || topic.leaderOf(partition) !== nodeId) {
    return refused(ErrorCode.FENCED_LEADER_EPOCH, `broker ${nodeId} no longer leads the partition`);
  }
  if (wanted.partitionEpoch < topic.partitionEpochOf(partition)) {
    return refused(ErrorCode.INVALID_UPDATE_VERSION, "the partition has changed since");
  }
  if (isr.length === 0 || new Set(isr).size !== isr.length || !isr.includes(nodeId)) {
    return refused(ErrorCode.INVALID_REQUEST, "an in-sync set holds its leader, each node once");
  }
  for (const node of isr) {
    if (!topic.isReplica(partition, node)) {
      return refused(ErrorCode.INVALID_REQUEST, `broker ${node} is no replica of the partition`);
    }
    if (!image.isAlive(node)) {
      return refused(ErrorCode.INELIGIBLE_REPLICA, `broker ${node} is fenced`);
    }
  }
  return null;
}
