import { ErrorCode, deleteRecordsApi } from "@mantou/protocol";
import { Actor } from "../actor.ts";
import { positionOf } from "../clients/fetching.ts";
import { refused } from "../clients/refusals.ts";
import type { Trim } from "../history.ts";
import { whereOf } from "../history.ts";
import { LATEST, listOffset } from "./consumer.ts";

const TIMEOUT_MS = 5_000;

/** Deletes the oldest records of the topic `trimmed`. */
export class Trimmer extends Actor {
  readonly isWriter = true;

  protected async run(): Promise<void> {
    while (this.isBusy) {
      await this.pause(200, 2_000);
      await this.patiently(() => this.trim());
    }
  }

  private async trim(): Promise<void> {
    const topic = this.world.standing.get("trimmed");
    if (topic === undefined) return;
    const partition = this.prng.below(topic.partitions);
    const where = whereOf(topic.topicId, partition);
    const connection = await this.connected();
    const end = await listOffset(connection, positionOf(topic, partition, where), LATEST);
    if (end === null || end === 0) return;
    const trim: Trim = { where, offset: this.prng.below(end + 1), isAcked: false };
    this.world.history.trims.push(trim);
    const { topics } = await connection.ask(deleteRecordsApi, 2, {
      topics: [
        { name: topic.name, partitions: [{ partitionIndex: partition, offset: trim.offset }] },
      ],
      timeoutMs: TIMEOUT_MS,
    });
    const done = topics[0]?.partitions[0];
    if (done?.errorCode !== ErrorCode.NONE) {
      const isPassing = done?.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE;
      if (!isPassing && done?.errorCode !== ErrorCode.NOT_LEADER_OR_FOLLOWER) {
        refused(this.world, this.name, done?.errorCode);
      }
      return;
    }
    trim.isAcked = true;
    if (done.lowWatermark < trim.offset) {
      this.world.defect(`${this.name}: records below ${trim.offset} were not deleted`);
    }
  }
}
