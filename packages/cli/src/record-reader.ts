import type { Client, ConsumedRecord, ConsumerOptions } from "@mantou/client";
import type { PartitionRange, RangeSpec } from "./record-range.ts";
import { resolveRange } from "./record-range.ts";

/** How long a poll waits, in milliseconds; the end of a range is looked for in between. */
const POLL_MS = 250;

/** Partitions that are read at a time from their ends. */
const PARTITIONS_AT_ONCE = 8;

/**
 * Records of a range in runs, as they come, until its end.
 * @param onRanges told, once, which offsets are going to be read.
 */
export async function* readRange(
  client: Client,
  spec: RangeSpec,
  options: ConsumerOptions,
  onRanges: (ranges: readonly PartitionRange[]) => void = () => {},
): AsyncGenerator<ConsumedRecord[]> {
  const ranges = await resolveRange(client, spec, options.isolation);
  onRanges(ranges);
  if (spec.last === null) {
    yield* readPartitions(client, ranges, spec.untilMs, options);
    return;
  }
  const seen = await lastRecords(client, ranges, spec.last, options);
  if (seen.length > 0) yield seen;
}

/** As {@link readRange} with `last`, and then everything that follows. */
export async function* readLastAndFollow(
  client: Client,
  spec: RangeSpec,
  options: ConsumerOptions,
): AsyncGenerator<ConsumedRecord[]> {
  const ranges = await resolveRange(client, spec, options.isolation);
  const seen = await lastRecords(client, ranges, spec.last ?? 0, options);
  if (seen.length > 0) yield seen;
  const onward = ranges.map((range) => ({ ...range, from: range.latest, to: null }));
  yield* readPartitions(client, onward, spec.untilMs, options);
}

async function* readPartitions(
  client: Client,
  ranges: readonly PartitionRange[],
  untilMs: number | null,
  options: ConsumerOptions,
): AsyncGenerator<ConsumedRecord[]> {
  const key = (topic: string, partition: number): string => `${partition} ${topic}`;
  const open = new Map(
    ranges
      .filter(({ from, to }) => to === null || from < to)
      .map((range) => [key(range.topic, range.partition), range]),
  );
  if (open.size === 0) return;
  const consumer = client.consumer({ offsetReset: "earliest", ...options });
  const assign = (positions: ReadonlyMap<string, number>): void =>
    consumer.assign(
      [...open].map(([name, { topic, partition, from }]) => ({
        topic,
        partition,
        from: positions.get(name) ?? from,
      })),
    );
  assign(new Map());
  try {
    while (open.size > 0) {
      const polled = await consumer.poll({ timeoutMs: POLL_MS });
      const records = polled.filter(({ topic, partition, offset, timestamp }) => {
        const range = open.get(key(topic, partition));
        const isLate = untilMs !== null && timestamp >= untilMs;
        return range !== undefined && !isLate && (range.to === null || offset < range.to);
      });
      if (records.length > 0) yield records;
      const before = open.size;
      const positions = new Map<string, number>();
      for (const [name, { topic, partition, to }] of open) {
        const position = consumer.position(topic, partition);
        if (position !== null) positions.set(name, position);
        if (to !== null && position !== null && position >= to) open.delete(name);
      }
      // A partition that is done would go on being fetched for nothing.
      if (open.size < before && open.size > 0) assign(positions);
      const isOver = untilMs !== null && Date.now() >= untilMs;
      if (isOver && polled.every(({ timestamp }) => timestamp >= untilMs)) return;
    }
  } finally {
    consumer.close();
  }
}

/** The last `count` records of all partitions together, by time. */
async function lastRecords(
  client: Client,
  ranges: readonly PartitionRange[],
  count: number,
  options: ConsumerOptions,
): Promise<ConsumedRecord[]> {
  if (count === 0) return [];
  const records: ConsumedRecord[] = [];
  // Each has connections of its own: a few at a time.
  for (let at = 0; at < ranges.length; at += PARTITIONS_AT_ONCE) {
    const some = ranges.slice(at, at + PARTITIONS_AT_ONCE);
    const found = some.map((range) => lastOfPartition(client, range, count, options));
    for (const run of await Promise.all(found)) for (const record of run) records.push(record);
  }
  // Equal times keep the order of their partition.
  records.sort(
    (a, b) => a.timestamp - b.timestamp || a.partition - b.partition || a.offset - b.offset,
  );
  return records.slice(-count);
}

/** Offsets may have gaps (markers, compaction): it goes further back until there are enough. */
async function lastOfPartition(
  client: Client,
  range: PartitionRange,
  count: number,
  options: ConsumerOptions,
): Promise<ConsumedRecord[]> {
  for (let back = count; ; back *= 4) {
    const to = range.to ?? range.latest;
    const from = Math.max(range.earliest, to - back);
    const records: ConsumedRecord[] = [];
    for await (const run of readPartitions(client, [{ ...range, from, to }], null, options)) {
      for (const record of run) records.push(record);
    }
    if (records.length >= count || from === range.earliest) return records.slice(-count);
  }
}
