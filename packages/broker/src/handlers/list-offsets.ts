import type { LogId } from "@mantou/base";
import { offset } from "@mantou/base";
import type { ListOffsetsRequest, ListOffsetsResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import { IoError } from "@mantou/io";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer, later } from "../handler.ts";
import { epochError, resolveByName } from "./partition-checks.ts";

type TopicAnswer = ListOffsetsResponse["topics"][number];
type PartitionAnswer = TopicAnswer["partitions"][number];

/** Asks a disk for one partition's answer, and fills it in. */
type Lookup = () => Promise<void>;
type Position = { readonly offset: number; readonly timestamp: number } | null;

/** Timestamps that name a position, and the first version that knows them. */
const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
const EARLIEST_LOCAL = -4;
const LAST_TIERED = -5;
const EARLIEST_PENDING_UPLOAD = -6;
const VERSION_OF_SPECIAL: Readonly<Record<number, number>> = {
  [LATEST]: 1,
  [EARLIEST]: 1,
  [MAX_TIMESTAMP]: 7,
  [EARLIEST_LOCAL]: 8,
  [LAST_TIERED]: 9,
  [EARLIEST_PENDING_UPLOAD]: 11,
};

/** The isolation level that ends at the last stable offset. */
const READ_COMMITTED = 1;

/** Lookups of one request that the disk threads get at a time: they serve others too. */
const LOOKUPS_AT_A_TIME = 256;
const LEADER_EPOCH_SINCE = 4;
const NO_EPOCH = -1;

/** ListOffsets: a position by timestamp, per partition. Only real timestamps need a disk. */
export function handleListOffsets(
  broker: BrokerContext,
  call: Call,
  request: ListOffsetsRequest,
): Outcome<ListOffsetsResponse> {
  const lookups: Lookup[] = [];
  const named = occurrences(request);
  const isolated = request.isolationLevel === READ_COMMITTED;
  const topics = request.topics.map((topic): TopicAnswer => ({
    name: topic.name,
    partitions: topic.partitions.flatMap((partition) => {
      const found = newAnswer(partition.partitionIndex);
      const key = keyOf(topic.name, partition.partitionIndex);
      const times = named.get(key);
      // One answer for what is named more than once.
      if (times === undefined) return [];
      if (times > 1) {
        named.delete(key);
        found.errorCode = ErrorCode.INVALID_REQUEST;
      } else {
        const lookup = look(broker, call.version, topic.name, partition, isolated, found);
        if (lookup !== null) lookups.push(lookup);
      }
      return [found];
    }),
  }));
  if (lookups.length === 0) return answer(respond(topics, call.version));
  return later(lookUp(lookups).then(() => respond(topics, call.version)));
}

const keyOf = (topic: string, partition: number): string => `${partition}/${topic}`;

/** How often each partition is named. */
function occurrences(request: ListOffsetsRequest): Map<string, number> {
  const times = new Map<string, number>();
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = keyOf(name, partitionIndex);
      times.set(key, (times.get(key) ?? 0) + 1);
    }
  }
  return times;
}

async function lookUp(lookups: readonly Lookup[]): Promise<void> {
  for (let from = 0; from < lookups.length; from += LOOKUPS_AT_A_TIME) {
    await Promise.all(lookups.slice(from, from + LOOKUPS_AT_A_TIME).map((lookup) => lookup()));
  }
}

/** Epochs belong to versions that have the field; in an older answer one cannot be written. */
function respond(topics: TopicAnswer[], version: number): ListOffsetsResponse {
  if (version < LEADER_EPOCH_SINCE) {
    for (const { partitions } of topics) {
      for (const found of partitions) found.leaderEpoch = NO_EPOCH;
    }
  }
  return { throttleTimeMs: 0, topics };
}

function look(
  broker: BrokerContext,
  version: number,
  topic: string,
  partition: ListOffsetsRequest["topics"][number]["partitions"][number],
  readCommitted: boolean,
  found: PartitionAnswer,
): Lookup | null {
  const resolved = resolveByName(broker, topic, partition.partitionIndex);
  if ("errorCode" in resolved) {
    found.errorCode = resolved.errorCode;
    return null;
  }
  const { logId } = resolved;
  found.errorCode = epochError(broker, logId, partition.currentLeaderEpoch);
  if (found.errorCode !== ErrorCode.NONE) return null;
  const { timestamp } = partition;
  const end = readableEnd(broker, logId, readCommitted);
  if (timestamp >= 0) {
    const limit = offset(end);
    return () => settle(broker.logs.findTimestamp(logId, timestamp, limit), broker, logId, found);
  }
  if (version < (VERSION_OF_SPECIAL[timestamp] ?? Infinity)) {
    found.errorCode = ErrorCode.UNSUPPORTED_VERSION;
    return null;
  }
  return lookSpecial(broker, logId, timestamp, end, found);
}

/** Where reading ends for this client. */
function readableEnd(broker: BrokerContext, logId: LogId, readCommitted: boolean): number {
  const highWatermark = broker.partitions.highWatermark(logId);
  return readCommitted ? broker.producers.lastStableOffset(logId, highWatermark) : highWatermark;
}

function lookSpecial(
  broker: BrokerContext,
  logId: LogId,
  timestamp: number,
  end: number,
  found: PartitionAnswer,
): Lookup | null {
  const { partitions } = broker;
  switch (timestamp) {
    case LATEST:
      found.offset = end;
      found.leaderEpoch = partitions.leaderEpoch(logId);
      return null;
    case EARLIEST:
    case EARLIEST_LOCAL:
      found.offset = partitions.logStartOffset(logId);
      found.leaderEpoch = partitions.epochAt(logId, found.offset);
      return null;
    case MAX_TIMESTAMP: {
      const limit = offset(end);
      return () => settle(broker.logs.findMaxTimestamp(logId, limit), broker, logId, found);
    }
    default:
      // Nothing is tiered here: no offset, no error, as a Kafka without remote storage answers.
      return null;
  }
}

/** Fills in what a disk found; a failed read becomes the partition's error. */
async function settle(
  lookup: Promise<Position>,
  broker: BrokerContext,
  logId: LogId,
  found: PartitionAnswer,
): Promise<void> {
  try {
    const position = await lookup;
    if (!broker.partitions.isOpen(logId)) {
      // The topic was deleted while the disk worked.
      found.errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
      return;
    }
    if (position === null) return;
    found.offset = position.offset;
    found.timestamp = position.timestamp;
    found.leaderEpoch = broker.partitions.epochAt(logId, position.offset);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    found.errorCode = broker.partitions.isOpen(logId)
      ? ErrorCode.KAFKA_STORAGE_ERROR
      : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  }
}

function newAnswer(partitionIndex: number): PartitionAnswer {
  const none = { timestamp: -1, offset: -1, leaderEpoch: NO_EPOCH };
  return { partitionIndex, errorCode: ErrorCode.NONE, ...none };
}
