import type { FetchResponse } from "@mantou/protocol";
import { ErrorCode, errorName, fetchApi } from "@mantou/protocol";
import type { World } from "../actor.ts";
import type { Read, SeenBatch, TopicLife, Where } from "../history.ts";
import { whereOf } from "../history.ts";
import { plainRecords, withoutAborted } from "./batches.ts";
import type { Answer, ClientConnection } from "./connection.ts";

export const TOPIC_ID_VERSION = 13;
const SESSION_VERSION = 7;

/** One partition that a reader follows. */
export interface Position {
  readonly topic: TopicLife;
  readonly partition: number;
  readonly where: Where;
  offset: number;
  /** What the last answer said. */
  highWatermark: number;
  lastStableOffset: number;
  /** The reader's position in the session's memory, or null where the session has none. */
  inSession: number | null;
}

export const positionOf = (topic: TopicLife, partition: number, where: Where): Position => ({
  topic,
  partition,
  where,
  offset: 0,
  highWatermark: -1,
  lastStableOffset: -1,
  inSession: null,
});

/** Every partition of some standing topics, from its beginning. */
export const positionsOf = (world: World, topics: readonly string[]): Position[] =>
  topics.flatMap((name) => {
    const topic = world.standing.get(name);
    return Array.from({ length: topic?.partitions ?? 0 }, (_, partition) =>
      positionOf(topic as TopicLife, partition, whereOf((topic as TopicLife).topicId, partition)),
    );
  });

export interface FetchOptions {
  readonly version: number;
  readonly isCommitted: boolean;
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly partitionBytesMax: number;
}

/** What became of one partition in an answer. */
export interface FetchedPartition {
  readonly position: Position;
  readonly errorCode: number;
  readonly read: Read | null;
}

/**
 * Fetches as Kafka's consumers do, with an incremental session where the version has one: only
 * what has changed is asked for, and what is not answered has not changed.
 */
export class Fetcher {
  private sessionId = 0;
  private sessionEpoch = 0;

  constructor(
    private readonly world: World,
    private readonly name: string,
    private readonly usesSession: boolean,
  ) {}

  /** The next fetch is a full one: the session may be gone. */
  forgetSession(positions: readonly Position[]): void {
    this.sessionId = 0;
    this.sessionEpoch = 0;
    for (const position of positions) position.inSession = null;
  }

  /** One fetch. Advances the positions. Throws NoAnswer. */
  async fetch(
    connection: ClientConnection,
    positions: readonly Position[],
    options: FetchOptions,
  ): Promise<FetchedPartition[]> {
    const { version } = options;
    const hasSession = this.usesSession && version >= SESSION_VERSION;
    if (!hasSession) this.forgetSession(positions);
    const isIncremental = hasSession && this.sessionEpoch > 0;
    const asked = positions.filter((p) => !isIncremental || p.inSession !== p.offset);
    const answer = await connection.exchange(fetchApi, version, {
      maxWaitMs: options.maxWaitMs,
      minBytes: options.minBytes,
      maxBytes: 1024 * 1024,
      isolationLevel: options.isCommitted ? 1 : 0,
      sessionId: isIncremental ? this.sessionId : 0,
      sessionEpoch: hasSession ? this.sessionEpoch : -1,
      topics: asked.map(({ topic, partition, offset }) => ({
        topic: topic.name,
        topicId: topic.topicId,
        partitions: [
          {
            partition,
            fetchOffset: offset,
            partitionMaxBytes: options.partitionBytesMax,
          },
        ],
      })),
      forgottenTopicsData: [],
      rackId: "",
    });
    const { errorCode, sessionId } = answer.response;
    if (errorCode !== ErrorCode.NONE) {
      this.refused(errorCode, isIncremental);
      this.forgetSession(positions);
      return [];
    }
    if (hasSession) {
      this.sessionId = sessionId;
      this.sessionEpoch = sessionId === 0 ? 0 : this.sessionEpoch + 1;
      for (const position of asked) position.inSession = position.offset;
    }
    return this.taken(answer, positions, options);
  }

  private refused(errorCode: number, isIncremental: boolean): void {
    const isSession =
      errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND ||
      errorCode === ErrorCode.INVALID_FETCH_SESSION_EPOCH;
    if (isSession && isIncremental) return;
    this.world.defect(`${this.name}: fetch answered ${errorName(errorCode)}`);
  }

  private taken(
    { response, bytes }: Answer<FetchResponse>,
    positions: readonly Position[],
    options: FetchOptions,
  ): FetchedPartition[] {
    const fetched: FetchedPartition[] = [];
    for (const { topic, topicId, partitions } of response.responses) {
      for (const part of partitions) {
        const position = positions.find(
          (p) =>
            p.partition === part.partitionIndex &&
            (options.version >= TOPIC_ID_VERSION
              ? p.topic.topicId === topicId
              : p.topic.name === topic),
        );
        if (position === undefined) {
          this.world.defect(`${this.name}: an answer for a partition that was not asked for`);
          continue;
        }
        if (part.errorCode !== ErrorCode.NONE) {
          position.inSession = null;
          fetched.push({ position, errorCode: part.errorCode, read: null });
          continue;
        }
        const { records } = part;
        const span = records as { readonly offset: number; readonly length: number } | null;
        const slice =
          span === null ? new Uint8Array() : bytes.subarray(span.offset, span.offset + span.length);
        const batches = this.world.batches.read(position.where, slice);
        const aborted = part.abortedTransactions ?? [];
        const read = this.read(position, options.isCommitted, part, batches, aborted);
        fetched.push({ position, errorCode: ErrorCode.NONE, read });
      }
    }
    return fetched;
  }

  private read(
    position: Position,
    isCommitted: boolean,
    part: {
      readonly highWatermark: number;
      readonly lastStableOffset: number;
      readonly logStartOffset: number;
    },
    batches: readonly SeenBatch[],
    aborted: readonly { readonly producerId: number; readonly firstOffset: number }[],
  ): Read {
    const from = position.offset;
    const last = batches.at(-1);
    const next = last === undefined ? from : last.lastOffset + 1;
    const { highWatermark, lastStableOffset, logStartOffset } = part;
    const read: Read = {
      by: this.name,
      where: position.where,
      isCommitted,
      from,
      next,
      highWatermark,
      lastStableOffset,
      logStartOffset,
      batches,
      delivered: isCommitted ? withoutAborted(batches, aborted, from) : plainRecords(batches, from),
    };
    position.offset = next;
    position.highWatermark = highWatermark;
    position.lastStableOffset = lastStableOffset;
    this.world.history.reads.push(read);
    return read;
  }
}
