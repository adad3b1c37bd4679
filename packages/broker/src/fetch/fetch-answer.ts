import type { LogId } from "@mantou/base";
import { ZERO_UUID } from "@mantou/base";
import type { Uuid } from "@mantou/base";
import type { FetchResponseInput } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { AbortedTransaction, PartitionTable, ProducerStates } from "@mantou/replication";
import type { FetchTask, FoundRow } from "./fetch-task.ts";

type PartitionAnswer = FetchResponseInput["responses"][number]["partitions"][number];

interface TopicAnswer {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partitions: PartitionAnswer[];
}

const NO_RECORDS = new Uint8Array(0);

/** The answer of a task whose ranges are settled; remembers what the client is told. */
export function fetchAnswer(
  task: FetchTask,
  partitions: PartitionTable,
  producers: ProducerStates,
  releasePin: (pin: number) => void,
): FetchResponseInput {
  const { set, session } = task;
  const topics: TopicAnswer[] = [];
  const byTopic = new Map<string, TopicAnswer>();
  for (const found of task.found) {
    const { topic } = found;
    if (isGone(found, partitions)) {
      // Deleted while a disk thread looked for its bytes.
      if (found.length > 0) releasePin(found.pin);
      found.length = 0;
      found.errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    }
    let entry = byTopic.get(topic);
    if (entry === undefined) {
      entry = {
        topic: set.usesIds ? "" : topic,
        topicId: set.usesIds ? (topic as Uuid) : ZERO_UUID,
        partitions: [],
      };
      byTopic.set(topic, entry);
      topics.push(entry);
    }
    entry.partitions.push(partitionAnswer(task, found, partitions, producers));
  }
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    sessionId: session?.id ?? 0,
    responses: topics,
    nodeEndpoints: [],
  };
}

/** Without records there is nothing to leave out. */
const abortedOf = (found: FoundRow): AbortedTransaction[] =>
  found.length === 0 ? [] : [...(found.aborted ?? [])];

const isGone = (found: FoundRow, partitions: PartitionTable): boolean =>
  found.errorCode === ErrorCode.NONE && (found.logId === -1 || !partitions.isOpen(found.logId));

/** A refusal of the whole fetch: top-level code, empty body. */
export function fetchRefusal(errorCode: number): FetchResponseInput {
  return { throttleTimeMs: 0, errorCode, sessionId: 0, responses: [], nodeEndpoints: [] };
}

function partitionAnswer(
  task: FetchTask,
  found: FoundRow,
  partitions: PartitionTable,
  producers: ProducerStates,
): PartitionAnswer {
  const { set } = task;
  const { row } = found;
  const failed = found.errorCode !== ErrorCode.NONE;
  const logId = found.logId as LogId;
  const highWatermark = failed ? -1 : partitions.highWatermark(logId);
  const logStartOffset = failed ? -1 : partitions.logStartOffset(logId);
  if (set.topics[row] === found.topic && set.partition[row] === found.partition) {
    set.sentError[row] = found.errorCode;
    set.sentHighWatermark[row] = highWatermark;
    set.sentStartOffset[row] = logStartOffset;
  }
  // KAFKA_STORAGE_ERROR is unknown to clients of Fetch v5 and older.
  const errorCode =
    found.errorCode === ErrorCode.KAFKA_STORAGE_ERROR && task.call.version <= 5
      ? ErrorCode.NOT_LEADER_OR_FOLLOWER
      : found.errorCode;
  return {
    partitionIndex: found.partition,
    errorCode,
    highWatermark,
    lastStableOffset: failed ? -1 : producers.lastStableOffset(logId, highWatermark),
    logStartOffset,
    divergingEpoch: found.diverging ?? { epoch: -1, endOffset: -1 },
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
    snapshotId: { endOffset: -1, epoch: -1 },
    abortedTransactions: task.readCommitted && !failed ? abortedOf(found) : null,
    preferredReadReplica: -1,
    records:
      found.length === 0
        ? NO_RECORDS
        : { pin: found.pin, position: found.position, length: found.length },
  };
}
