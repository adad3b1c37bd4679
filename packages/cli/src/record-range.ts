import type { Client, Isolation, OffsetSpec, TopicMetadata } from "@mantou/client";
import { usage } from "./failure.ts";
import { momentOf } from "./moments.ts";
import { existingTopics } from "./topics.ts";
import { integerOf, type Values } from "./values.ts";

/** A place in a partition, as a person names it. */
export type Place =
  | { readonly kind: "earliest" }
  | { readonly kind: "latest" }
  | { readonly kind: "offset"; readonly offset: number }
  /** So many before the end. */
  | { readonly kind: "before-end"; readonly count: number }
  | { readonly kind: "time"; readonly timestamp: number };

/** Which records are wanted. */
export interface RangeSpec {
  readonly topics: readonly string[];
  /** null: all. */
  readonly partitions: readonly number[] | null;
  readonly from: Place;
  /** null: no end. */
  readonly to: Place | null;
  /** The last so many of all partitions together. */
  readonly last: number | null;
  /** Stop at this time although it is to come. */
  readonly untilMs: number | null;
}

/** Where one partition is read, offsets resolved. */
export interface PartitionRange {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  /** Exclusive; null: no end. */
  readonly to: number | null;
  readonly earliest: number;
  readonly latest: number;
}

/** How many offsets ranges have together; null where one of them has no end. */
export function rangesTotal(ranges: readonly PartitionRange[]): number | null {
  let total = 0;
  for (const { from, to } of ranges) {
    if (to === null) return null;
    total += Math.max(0, to - from);
  }
  return total;
}

/** Whether what comes after the last records is wanted too. */
export const followsLast = (spec: RangeSpec): boolean => spec.last !== null && spec.to === null;

/** Whether reading ends, be it at a time to come. */
export const hasEnd = (spec: RangeSpec): boolean => spec.to !== null || spec.untilMs !== null;

/** Reads the flags that say which records are wanted. Throws Failure. */
export function rangeSpec(values: Values, topics: readonly string[], nowMs: number): RangeSpec {
  const starts = ["from-beginning", "since", "last", "offset"].filter((name) => values.has(name));
  if (starts.length > 1) {
    throw usage(`only one of ${starts.map((name) => `--${name}`).join(", ")} can be given`);
  }
  const last = values.integer("last", 0, 10_000_000);
  const since = values.text("since");
  const until = values.text("until");
  const offset = values.text("offset");
  const untilMs = until === null ? null : momentOf("--until", until, nowMs);
  const [fromText = "", toText] = offset === null ? [] : splitRange(offset);
  let from: Place = values.has("exit") ? { kind: "earliest" } : { kind: "latest" };
  if (values.has("from-beginning") || last !== null) from = { kind: "earliest" };
  else if (since !== null) from = { kind: "time", timestamp: momentOf("--since", since, nowMs) };
  else if (offset !== null) from = placeOf(fromText, nowMs);
  else if (untilMs !== null && untilMs <= nowMs) from = { kind: "earliest" };
  let to: Place | null = values.has("exit") ? { kind: "latest" } : null;
  if (toText !== undefined && toText !== "") to = placeOf(toText, nowMs);
  if (untilMs !== null && untilMs <= nowMs) to = { kind: "time", timestamp: untilMs };
  return {
    topics,
    partitions: partitionsOf(values),
    from,
    to,
    last,
    untilMs: untilMs !== null && untilMs > nowMs ? untilMs : null,
  };
}

/** `A:B` unless the colons belong to a time. */
function splitRange(text: string): string[] {
  const match = /^(@?[^:]*|@?\d{4}-\d{2}-\d{2}T[^@]*?):(@.*|-?\d+|latest|end|now)$/.exec(text);
  if (match !== null && !/T\d{2}(:\d{2})?$/.test(match[1] ?? ""))
    return [match[1] ?? "", match[2] ?? ""];
  if (match !== null && (match[2] ?? "").startsWith("@")) return [match[1] ?? "", match[2] ?? ""];
  return [text];
}

/** One place, as `flag` gives it. Throws Failure. */
export function placeOf(text: string, nowMs: number, flag = "--offset"): Place {
  if (
    text === "" ||
    text === "earliest" ||
    text === "beginning" ||
    text === "start" ||
    text === "oldest"
  ) {
    return { kind: "earliest" };
  }
  if (text === "latest" || text === "end" || text === "newest") return { kind: "latest" };
  if (text.startsWith("@")) return { kind: "time", timestamp: momentOf(flag, text, nowMs) };
  if (/^\d+$/.test(text)) {
    return { kind: "offset", offset: integerOf(flag, text, 0, Number.MAX_SAFE_INTEGER) };
  }
  if (/^-\d+$/.test(text)) {
    return { kind: "before-end", count: integerOf(flag, text.slice(1), 0, 1e15) };
  }
  throw usage(
    `${flag} ${JSON.stringify(text)} is no place`,
    `earliest, latest, 42, -10, @TIME${flag === "--offset" ? ", or two of them with a colon" : ""}`,
  );
}

function partitionsOf(values: Values): number[] | null {
  if (!values.has("partition")) return null;
  const words = values.list("partition").flatMap((item) => item.split(","));
  return [...new Set(words.map((word) => integerOf("--partition", word, 0, 1_000_000)))];
}

/**
 * Asks for the offsets that the places stand for. Throws Failure.
 * @param isolation as it is read with: what is committed ends where the first open transaction begins.
 */
export async function resolveRange(
  client: Client,
  spec: RangeSpec,
  isolation: Isolation = "read_uncommitted",
): Promise<PartitionRange[]> {
  const topics = await existingTopics(client, spec.topics);
  const wanted = topics.flatMap((topic) =>
    partitionsIn(topic, spec.partitions).map((partition) => ({ topic: topic.name, partition })),
  );
  return await Promise.all(
    wanted.map(async ({ topic, partition }) => {
      const ask = async (at: OffsetSpec): Promise<number> =>
        (await client.admin.listOffset(topic, partition, at, isolation)).offset;
      const [earliest, latest] = await Promise.all([ask("earliest"), ask("latest")]);
      const resolve = async (place: Place): Promise<number> => {
        switch (place.kind) {
          case "earliest":
            return earliest;
          case "latest":
            return latest;
          case "offset":
            return place.offset;
          case "before-end":
            return Math.max(earliest, latest - place.count);
          case "time": {
            const found = await ask({ timestamp: Math.max(0, place.timestamp) });
            return found < 0 ? latest : found;
          }
        }
      };
      const from = await resolve(spec.from);
      if (from < earliest || from > latest) {
        throw usage(`${topic}-${partition} has offsets ${earliest} to ${latest}, not ${from}`);
      }
      const to = spec.to === null ? null : Math.min(latest, await resolve(spec.to));
      return { topic, partition, from, to, earliest, latest };
    }),
  );
}

function partitionsIn(topic: TopicMetadata, wanted: readonly number[] | null): number[] {
  const all = topic.partitions.map((entry) => entry.partition);
  const missing = wanted?.find((partition) => !all.includes(partition));
  if (missing !== undefined) {
    throw usage(`${topic.name} has partitions 0 to ${all.length - 1}, not ${missing}`);
  }
  return wanted === null ? all : [...wanted];
}
