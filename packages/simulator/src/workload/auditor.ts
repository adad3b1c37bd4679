import { ErrorCode, errorName } from "@mantou/protocol";
import { Actor } from "../actor.ts";
import { NoAnswer } from "../clients/connection.ts";
import type { FetchOptions, Position } from "../clients/fetching.ts";
import { Fetcher, positionOf, positionsOf } from "../clients/fetching.ts";
import { fetchCommitted } from "../clients/offsets.ts";
import type { FinalLog, SeenBatch, SeenRecord, TopicLife } from "../history.ts";
import { whereOf } from "../history.ts";
import { EARLIEST, listOffset } from "./consumer.ts";
import { isPassing } from "./group-member.ts";

const OPTIONS: Omit<FetchOptions, "isCommitted"> = {
  version: 12,
  maxWaitMs: 0,
  minBytes: 0,
  partitionBytesMax: 1024 * 1024,
};

/** Reads everything there is, at both isolation levels, when nobody writes any more. */
export class Auditor extends Actor {
  readonly isWriter = false;

  protected async run(): Promise<void> {
    const { topics } = this.world.history;
    for (const topic of topics.values()) {
      // Other topics may have gone, or may be read by name as another one.
      if (this.world.standing.get(topic.name) !== topic) continue;
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        await this.audit(topic, partition);
      }
    }
    const { commits, transactions } = this.world.history;
    const groups = new Set([...commits, ...transactions].map(({ group }) => group));
    for (const group of groups) await this.auditGroup(group);
  }

  /** What the group has committed, once more. */
  private async auditGroup(group: string): Promise<void> {
    const { world, name } = this;
    const committer = { world, name, group, memberId: "", generation: -1 };
    const positions = positionsOf(world, [...world.standing.keys()]);
    for (;;) {
      try {
        const connection = await this.connected();
        const found = await fetchCommitted(committer, connection, positions, 7, 5_000);
        if (typeof found !== "number") return;
        if (!isPassing(found)) world.defect(`${name}: OffsetFetch answered ${errorName(found)}`);
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
      }
      await this.pause();
    }
  }

  private async audit(topic: TopicLife, partition: number): Promise<void> {
    const where = whereOf(topic.topicId, partition);
    for (;;) {
      try {
        const connection = await this.connected();
        const position = positionOf(topic, partition, where);
        const start = await listOffset(connection, position, EARLIEST);
        if (start === null) throw new NoAnswer("no start");
        const batches = await this.readAll(position, start, false);
        const { highWatermark, lastStableOffset } = position;
        const committed = await this.readAll(position, start, true);
        this.world.history.final.set(where, {
          where,
          startOffset: start,
          endOffset: highWatermark,
          lastStableOffset,
          batches: batches.batches,
          committed: committed.delivered,
        } satisfies FinalLog);
        return;
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        await this.pause();
      }
    }
  }

  private async readAll(
    position: Position,
    start: number,
    isCommitted: boolean,
  ): Promise<{ readonly batches: SeenBatch[]; readonly delivered: SeenRecord[] }> {
    const fetcher = new Fetcher(this.world, this.name, false);
    const batches: SeenBatch[] = [];
    const delivered: SeenRecord[] = [];
    position.offset = start;
    for (;;) {
      const connection = await this.connected();
      const before = position.offset;
      const fetched = await fetcher.fetch(connection, [position], { ...OPTIONS, isCommitted });
      const errorCode = fetched[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
      if (errorCode !== ErrorCode.NONE) {
        this.world.defect(`${this.name}: ${errorName(errorCode)} for ${position.topic.name}`);
        throw new NoAnswer(errorName(errorCode));
      }
      batches.push(...(fetched[0]?.read?.batches ?? []));
      delivered.push(...(fetched[0]?.read?.delivered ?? []));
      if (position.offset === before) return { batches, delivered };
    }
  }
}
