import type { Prng } from "@mantou/base";
import { ErrorCode, errorName, listOffsetsApi } from "@mantou/protocol";
import type { World } from "../actor.ts";
import { Actor } from "../actor.ts";
import type { ClientConnection } from "../clients/connection.ts";
import { NoAnswer } from "../clients/connection.ts";
import type { FetchOptions, Position } from "../clients/fetching.ts";
import { Fetcher, positionOf } from "../clients/fetching.ts";
import { whereOf } from "../history.ts";

const FETCH_VERSION_MIN = 4;
const FETCH_VERSION_MAX = 17;
const EARLIEST = -2;
const LATEST = -1;

/** Errors after which a reader asks again. */
const PASSING = new Set<number>([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.OFFSET_NOT_AVAILABLE,
]);

/** Asks where a partition begins or ends; null where it is not the time for that. */
export async function listOffset(
  connection: ClientConnection,
  position: Position,
  which: typeof EARLIEST | typeof LATEST,
  isolationLevel = 0,
): Promise<number | null> {
  const { topics } = await connection.ask(listOffsetsApi, 6, {
    replicaId: -1,
    isolationLevel,
    topics: [
      {
        name: position.topic.name,
        partitions: [{ partitionIndex: position.partition, timestamp: which }],
      },
    ],
  });
  const found = topics[0]?.partitions[0];
  return found?.errorCode === ErrorCode.NONE ? found.offset : null;
}

export const fetchOptions = (prng: Prng, isCommitted: boolean): FetchOptions => ({
  version: prng.between(FETCH_VERSION_MIN, FETCH_VERSION_MAX),
  isCommitted,
  maxWaitMs: prng.pick([0, 20, 200]),
  minBytes: prng.pick([0, 1, 1, 500]),
  partitionBytesMax: prng.pick([1, 300, 100_000]),
});

/** Reads the standing topics from their beginning by assignment, and now and then once more. */
export class AssignedConsumer extends Actor {
  readonly isWriter = false;
  private readonly positions: Position[] = [];
  private readonly fetcher: Fetcher;
  private readonly options: FetchOptions;

  constructor(world: World, name: string, seed: number) {
    super(world, name, seed);
    this.options = fetchOptions(this.prng, this.prng.chance(1, 2));
    this.fetcher = new Fetcher(world, name, this.prng.chance(3, 4));
  }

  override describe(): string {
    const behind = this.positions.filter((position) => !this.isAtEnd(position));
    const text = behind.map(
      (p) => `${p.topic.name}-${p.partition} at ${p.offset} of ${p.highWatermark}`,
    );
    return `${this.name} (${this.options.isCommitted ? "committed " : ""}${text.join(", ")})`;
  }

  protected async run(): Promise<void> {
    for (const topic of this.world.standing.values()) {
      if (topic.isCompacted || topic.isPageCache) continue;
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        this.positions.push(positionOf(topic, partition, whereOf(topic.topicId, partition)));
      }
    }
    while (!this.isFinished()) {
      try {
        await this.round();
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        this.fetcher.forgetSession(this.positions);
        await this.pause();
      }
    }
  }

  private isFinished(): boolean {
    if (this.world.phase === "over") return true;
    return this.world.phase === "draining" && this.positions.every((p) => this.isAtEnd(p));
  }

  /** Nothing is left to read, and nothing will come: nobody writes while this is asked. */
  private isAtEnd(position: Position): boolean {
    const { offset, highWatermark, lastStableOffset } = position;
    const isStable = !this.options.isCommitted || lastStableOffset === highWatermark;
    return offset === highWatermark && isStable && this.freshSince === this.world.phase;
  }

  /** The phase in which the last whole round of fetches began. */
  private freshSince: string | null = null;

  private async round(): Promise<void> {
    const { phase } = this.world;
    const connection = await this.connected();
    if (this.isBusy && this.prng.chance(1, 40)) this.seek();
    // Once nothing more is written, everything is asked for once more, session or not.
    if (phase === "draining" && this.freshSince !== phase) {
      this.fetcher.forgetSession(this.positions);
    }
    // One batch at a time, each with a wait, is slow enough to look like a standstill.
    const { options } = this;
    const pace = this.isBusy ? options : { ...options, minBytes: 0 };
    const fetched = await this.fetcher.fetch(connection, this.positions, pace);
    let isWhole = fetched.length > 0;
    for (const { position, errorCode } of fetched) {
      if (errorCode === ErrorCode.NONE) continue;
      isWhole = false;
      if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) await this.reset(connection, position);
      else if (!PASSING.has(errorCode)) {
        this.world.defect(`${this.name}: ${errorName(errorCode)} for ${position.topic.name}`);
      }
    }
    if (isWhole && fetched.length === this.positions.length) this.freshSince = phase;
    await this.pause(5, this.isBusy ? 150 : 20);
  }

  /** Reads something again: what it gets must be what it was. */
  private seek(): void {
    const position = this.prng.pick(this.positions);
    position.offset = this.prng.below(position.offset + 1);
  }

  private async reset(connection: ClientConnection, position: Position): Promise<void> {
    const start = await listOffset(connection, position, EARLIEST);
    const { trims } = this.world.history;
    const where = this.world.history.say(position.where);
    if (start === null) return;
    if (start <= position.offset && !trims.some((trim) => trim.where === position.where)) {
      this.world.defect(`${this.name}: ${position.offset} of ${where} is out of range now`);
    }
    position.offset = start;
  }
}

export { EARLIEST, LATEST };
