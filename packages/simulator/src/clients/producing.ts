import type { Uuid } from "@mantou/base";
import type { Send, TopicLife, Where } from "../history.ts";

const utf8 = new TextEncoder();
const TOPIC_ID_VERSION = 13;
/** So many batches of one producer a broker remembers per partition, and so many are in flight. */
export const IN_FLIGHT_MAX = 5;

export interface Batch {
  readonly bytes: Uint8Array;
  readonly sends: readonly Send[];
  offset: number | null;
}

/** One partition that a producer writes to. */
export interface Lane {
  readonly topic: TopicLife;
  readonly partition: number;
  readonly where: Where;
  sequence: number;
  count: number;
  pending: Batch[];
  isGivenUp: boolean;
  /** The last ones that were acknowledged: candidates for a duplicate. */
  readonly recent: Batch[];
}

/** What a broker said about one batch. */
export interface Verdict {
  readonly errorCode: number;
  readonly offset: number;
}

export function acknowledge(lane: Lane, batch: Batch): void {
  lane.recent.push(batch);
  if (lane.recent.length > IN_FLIGHT_MAX) lane.recent.shift();
}

export function learnOffsets(batch: Batch, offset: number): void {
  batch.offset = offset === -1 ? null : offset;
  for (const [index, send] of batch.sends.entries()) {
    send.outcome = "acked";
    if (offset !== -1) send.offset = offset + index;
  }
}

/** The records of some sends. */
export const recordsOf = (sends: readonly Send[], nowMs: number) =>
  sends.map(({ key, value }) => ({
    key: key === null ? null : utf8.encode(key),
    value: utf8.encode(value),
    timestamp: nowMs,
  }));

interface ProducedTopic {
  readonly name: string;
  readonly topicId: Uuid;
  readonly partitionResponses: readonly {
    readonly index: number;
    readonly errorCode: number;
    readonly baseOffset: number;
  }[];
}

/** Finds the verdict on one partition. */
export function verdictOf(
  responses: readonly ProducedTopic[],
  lane: { readonly topic: TopicLife; readonly partition: number },
  version: number,
): Verdict | null {
  for (const { name, topicId, partitionResponses } of responses) {
    const isIt =
      version >= TOPIC_ID_VERSION ? topicId === lane.topic.topicId : name === lane.topic.name;
    if (!isIt) continue;
    for (const { index, errorCode, baseOffset } of partitionResponses) {
      if (index === lane.partition) return { errorCode, offset: baseOffset };
    }
  }
  return null;
}
