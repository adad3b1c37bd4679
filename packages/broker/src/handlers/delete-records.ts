import type { LogId } from "@mantou/base";
import { offset } from "@mantou/base";
import { isInternalTopic } from "@mantou/catalog";
import { IoError } from "@mantou/io";
import type { DeleteRecordsRequest, DeleteRecordsResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { later } from "../handler.ts";
import { resolveByName } from "./partition-checks.ts";

/** Deletes everything that is committed. */
const UP_TO_HIGH_WATERMARK = -1;

type PartitionAnswer = DeleteRecordsResponse["topics"][number]["partitions"][number];

/** Moves the start of each partition up. The answer comes when that is durable. */
export function handleDeleteRecords(
  broker: BrokerContext,
  _call: Call,
  request: DeleteRecordsRequest,
): Outcome<DeleteRecordsResponse> {
  return later(deleteRecords(broker, request));
}

async function deleteRecords(
  broker: BrokerContext,
  request: DeleteRecordsRequest,
): Promise<DeleteRecordsResponse> {
  const topics = request.topics.map(async ({ name, partitions }) => ({
    name,
    partitions: await Promise.all(
      partitions.map((each) => deleteFrom(broker, name, each.partitionIndex, each.offset)),
    ),
  }));
  return { throttleTimeMs: 0, topics: await Promise.all(topics) };
}

const failed = (errorCode: number): Omit<PartitionAnswer, "partitionIndex"> => ({
  lowWatermark: -1,
  errorCode,
});

async function deleteFrom(
  broker: BrokerContext,
  topic: string,
  partitionIndex: number,
  before: number,
): Promise<PartitionAnswer> {
  const refused = (errorCode: number): PartitionAnswer => ({
    partitionIndex,
    ...failed(errorCode),
  });
  const found = resolveByName(broker, topic, partitionIndex);
  if ("errorCode" in found) return refused(found.errorCode);
  const { logId } = found;
  const { partitions } = broker;
  if (isInternalTopic(topic)) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION);
  if (!partitions.isLeader(logId)) return refused(ErrorCode.NOT_LEADER_OR_FOLLOWER);
  if (partitions.isFailed(logId)) return refused(ErrorCode.KAFKA_STORAGE_ERROR);
  const highWatermark = partitions.highWatermark(logId);
  const start = before === UP_TO_HIGH_WATERMARK ? highWatermark : before;
  if (start < 0 || start > highWatermark) return refused(ErrorCode.OFFSET_OUT_OF_RANGE);
  return { partitionIndex, ...(await trim(broker, logId, start)) };
}

async function trim(
  broker: BrokerContext,
  logId: LogId,
  start: number,
): Promise<Omit<PartitionAnswer, "partitionIndex">> {
  const { logs, partitions } = broker;
  const before = partitions.logStartOffset(logId);
  if (start <= before) return { lowWatermark: before, errorCode: ErrorCode.NONE };
  try {
    const state = await logs.trim(logId, offset(start));
    // The topic may have been deleted while the disk worked.
    if (!partitions.isOpen(logId)) return failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    partitions.trimmed(logId, state.startOffset);
    broker.startOffsetMoved(logId);
    return { lowWatermark: partitions.logStartOffset(logId), errorCode: ErrorCode.NONE };
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    const isDeleted = !partitions.isOpen(logId);
    return failed(isDeleted ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.KAFKA_STORAGE_ERROR);
  }
}
