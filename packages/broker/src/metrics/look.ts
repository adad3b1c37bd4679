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
  /** Lets others have the loop for a moment. */
  readonly pause: () => Promise<void>;
}

/** Partitions that are looked at in one go: well under a millisecond. */
const PARTITIONS_PER_LOOK = 512;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Look = Pick<BrokerFigures, "partitions" | "topics">;

/**
 * Looks at every open partition once, some at a time: there may be hundreds of thousands, and
 * requests do not wait for a scrape. Topics keep their place while the process runs (the oldest
 * have samples of their own), so that none of their counters jumps.
 */
export async function lookAtPartitions(parts: PartitionsParts): Promise<Look> {
  const logIds = Uint32Array.from(parts.openLogIds());
  const topics = new Map<string, Mutable<TopicFigures>>();
  const total = { open: 0, leading: 0, failed: 0, bytes: 0 };
  for (let from = 0; from < logIds.length; from += PARTITIONS_PER_LOOK) {
    if (from > 0) await parts.pause();
    lookAtSome(parts, logIds.subarray(from, from + PARTITIONS_PER_LOOK), total, topics);
  }
  return { partitions: total, topics: [...topics.values()] };
}

function lookAtSome(
  parts: PartitionsParts,
  logIds: Uint32Array,
  total: Mutable<Look["partitions"]>,
  topics: Map<string, Mutable<TopicFigures>>,
): void {
  const { partitions, topicsMax } = parts;
  const bytes = new Float64Array(logIds.length);
  parts.logs.sizes(logIds, bytes);
  for (const [index, id] of logIds.entries()) {
    const logId = id as LogId;
    // Its topic may have been deleted since the last pause.
    if (!partitions.isOpen(logId)) continue;
    const size = bytes[index] as number;
    total.open += 1;
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
}
