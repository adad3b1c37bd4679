import { ErrorCode, encodeBatch, produceApi } from "@mantou/protocol";
import type { World } from "../actor.ts";
import { Actor } from "../actor.ts";
import { NoAnswer } from "../clients/connection.ts";
import { recordsOf, verdictOf } from "../clients/producing.ts";
import type { Send, TopicLife } from "../history.ts";
import { newSend, whereOf } from "../history.ts";

/** Sends each batch once, with acks 0, 1 or all, and never asks what became of it. */
export class PlainProducer extends Actor {
  readonly isWriter = true;
  private count = 0;

  /** @param topics gives what there is to write to at the moment. */
  constructor(
    world: World,
    name: string,
    seed: number,
    private readonly topics: () => readonly TopicLife[],
  ) {
    super(world, name, seed);
  }

  protected async run(): Promise<void> {
    while (this.isBusy) {
      try {
        await this.send();
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
      }
      await this.pause(5, 120);
    }
  }

  private async send(): Promise<void> {
    const topics = this.topics();
    if (topics.length === 0) return;
    const topic = this.prng.pick(topics);
    const partition = this.prng.below(topic.partitions);
    const acks = this.prng.pick([-1, 0, 1] as const);
    const sends = Array.from({ length: this.prng.between(1, 3) }, () =>
      this.record(topic, partition, acks),
    );
    const connection = await this.connected();
    this.world.history.sends.push(...sends);
    const request = {
      transactionalId: null,
      acks,
      timeoutMs: 2_000,
      topicData: [
        {
          name: topic.name,
          topicId: topic.topicId,
          partitionData: [
            {
              index: partition,
              records: encodeBatch(recordsOf(sends, this.world.time.clock.wallMs())),
            },
          ],
        },
      ],
    };
    // A name may be another topic by now: only the id says which life is meant.
    const version = 13;
    if (acks === 0) {
      connection.send(produceApi, version, request);
      return;
    }
    const { responses } = await connection.ask(produceApi, version, request);
    const verdict = verdictOf(responses, { topic, partition }, version);
    if (verdict === null) {
      this.world.defect(`${this.name}: no verdict on ${topic.name}-${partition}`);
      return;
    }
    if (verdict.errorCode !== ErrorCode.NONE) return;
    for (const [index, send] of sends.entries()) {
      send.outcome = "acked";
      send.offset = verdict.offset + index;
    }
  }

  private record(topic: TopicLife, partition: number, acks: -1 | 0 | 1): Send {
    return newSend({
      value: `v${this.world.nextValue()}`,
      where: whereOf(topic.topicId, partition),
      by: this.name,
      order: this.count++,
      acks,
      isExact: false,
    });
  }
}
