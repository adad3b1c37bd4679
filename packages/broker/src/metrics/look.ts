import type { LogId } from "@mantou/base";
import type { LogStore } from "@mantou/io";
import type { PartitionTable } from "@mantou/replication";
import type { BrokerFigures, TopicFigures } from "./figures.ts";

/** What topics beyond the limit are shown as; no topic can be called that. */
const OTHERS = "(others)";

export interface PartitionsParts {
  readonly partitions: PartitionTable;
  readonly logs: LogStore;
  readonly openLogIds: () => readonly LogId[];
  readonly topicOf: (logId: LogId) => string;
  /** Topics with samples of their own. */
  readonly topicsMax: number;
}

/**
 * Looks at every open partition once. Topics keep their place while the process runs (the oldest
 * have samples of their own), so that none of their counters jumps.
 */
export function lookAtPartitions(
  parts: PartitionsParts,
): Pick<BrokerFigures, "partitions" | "topics"> {
  const { partitions, topicsMax } = parts;
  const logIds = Uint32Array.from(parts.openLogIds());
  const bytes = new Float64Array(logIds.length);
  parts.logs.sizes(logIds, bytes);
  const topics = new Map<string, { -readonly [K in keyof TopicFigures]: TopicFigures[K] }>();
  const total = { open: logIds.length, leading: 0, failed: 0, bytes: 0 };
  for (const [index, id] of logIds.entries()) {
    const logId = id as LogId;
    const size = bytes[index] as number;
    if (partitions.isLeader(logId)) total.leading += 1;
    if (partitions.isFailed(logId)) total.failed += 1;
    total.bytes += size;
    if (topicsMax === 0) continue;
    const own = parts.topicOf(logId);
    const topic = topics.has(own) || topics.size < topicsMax ? own : OTHERS;
    let entry = topics.get(topic);
    if (entry === undefined) {
      entry = { topic, partitions: 0, records: 0, bytes: 0 };
      topics.set(topic, entry);
    }
    entry.partitions += 1;
    entry.records += partitions.logEndOffset(logId);
    entry.bytes += size;
  }
  return { partitions: total, topics: [...topics.values()] };
}
