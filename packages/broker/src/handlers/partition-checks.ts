import type { LogId } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext } from "../handler.ts";

/** The log of a named partition on this broker, or why there is none. */
export function resolveByName(
  broker: BrokerContext,
  topic: string,
  partition: number,
): { readonly logId: LogId } | { readonly errorCode: number } {
  const image = broker.image.topicByName(topic);
  if (image === undefined || partition < 0 || partition >= image.partitionCount) {
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
  }
  const logId = broker.logOf(image.topicId, partition);
  return logId === -1 ? { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER } : { logId };
}

/** Leadership and the client's view of the leader epoch (KIP-320); -1 asks for no check. */
export function epochError(
  broker: BrokerContext,
  logId: LogId,
  currentLeaderEpoch: number,
): number {
  const { partitions } = broker;
  if (!partitions.isLeader(logId)) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
  const ours = partitions.leaderEpoch(logId);
  if (currentLeaderEpoch >= 0 && currentLeaderEpoch < ours) return ErrorCode.FENCED_LEADER_EPOCH;
  if (currentLeaderEpoch > ours) return ErrorCode.UNKNOWN_LEADER_EPOCH;
  if (partitions.isFailed(logId)) return ErrorCode.KAFKA_STORAGE_ERROR;
  return ErrorCode.NONE;
}
