import type { Uuid } from "@mantou/base";
import {
  ErrorCode,
  createPartitionsApi,
  createTopicsApi,
  deleteTopicsApi,
  metadataApi,
} from "@mantou/protocol";
import { Actor } from "../actor.ts";
import { refused } from "../clients/refusals.ts";
import type { TopicLife } from "../history.ts";

const TIMEOUT_MS = 5_000;
/** Longer than a request can be under way. */
const HAUNTED_MS = 8_000;

/** A topic that lives through the run. */
export interface StandingTopic {
  readonly name: string;
  readonly partitions: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** A name that topics come and go under. Only the admin writes to it. */
interface Name {
  readonly name: string;
  /** Null: there is no such topic; undefined: an answer is missing, either may be. */
  life: TopicLife | null | undefined;
  /**
   * What was asked without an answer may be carried out until then, after it was looked up; 0: it
   * has been looked up once more since, and is certain.
   */
  hauntedUntilMs: number;
}

/** Creates and deletes topics, adds partitions, and checks that what it was told stays true. */
export class Admin extends Actor {
  readonly isWriter = true;
  /** The standing topics are there. */
  isFounded = false;
  private readonly names: Name[] = ["churn-0", "churn-1", "churn-2"].map((name) => ({
    name,
    life: null,
    hauntedUntilMs: 0,
  }));
  private topics: readonly StandingTopic[] = [];

  /** What is there to be written to besides the standing topics. */
  get passing(): readonly TopicLife[] {
    return this.names.flatMap(({ life }) => (life === null || life === undefined ? [] : [life]));
  }

  found(topics: readonly StandingTopic[]): void {
    this.topics = topics;
    this.start();
  }

  protected async run(): Promise<void> {
    for (const topic of this.topics) await this.foundOne(topic);
    this.isFounded = true;
    while (this.isBusy) {
      await this.patiently(() => this.one());
      await this.pause(20, 300);
    }
    for (const name of this.names) {
      while (name.life === undefined || this.isHaunted(name)) {
        if (this.isToBeLookedUp(name)) await this.patiently(() => this.lookUp(name));
        await this.pause();
      }
    }
    await this.untilDone(() => this.checkMetadata());
  }

  private one(): Promise<unknown> {
    const name = this.prng.pick(this.names);
    switch (this.prng.below(6)) {
      case 0:
      case 1:
        return this.changeName(name);
      case 2:
        return this.changeName(name);
      case 3:
        return this.addPartition(name);
      default:
        return this.checkMetadata();
    }
  }

  private async foundOne(topic: StandingTopic): Promise<void> {
    for (;;) {
      let topicId: Uuid | null = null;
      await this.patiently(async () => {
        topicId = await this.create(topic.name, topic.partitions, topic.configs);
      });
      if (topicId === null) {
        await this.patiently(async () => {
          topicId = (await this.topicNamed(topic.name))?.topicId ?? null;
        });
      }
      if (topicId !== null) {
        const life = this.life(topic.name, topicId, topic.partitions, topic.configs);
        this.world.standing.set(topic.name, life);
        return;
      }
      await this.pause();
    }
  }

  private life(
    name: string,
    topicId: Uuid,
    partitions: number,
    configs: Readonly<Record<string, string>> = {},
  ): TopicLife {
    const known = this.world.history.topics.get(topicId);
    if (known !== undefined) return known;
    const life: TopicLife = {
      name,
      topicId,
      partitions,
      isPageCache: configs["mantou.durability"] === "page-cache",
      isCompacted: configs["cleanup.policy"] === "compact",
      isDoomed: false,
      isDeleted: false,
    };
    this.world.history.topics.set(topicId, life);
    return life;
  }

  /** Returns the new topic's id, or null where it was refused. */
  private async create(
    name: string,
    partitions: number,
    configs: Readonly<Record<string, string>>,
  ): Promise<Uuid | null> {
    const connection = await this.connected();
    const { topics } = await connection.ask(createTopicsApi, 7, {
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor: 1,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: TIMEOUT_MS,
    });
    const created = topics[0];
    if (created?.errorCode === ErrorCode.NONE) return created.topicId;
    if (created?.errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS) this.refused(created?.errorCode);
    return null;
  }

  private async topicNamed(name: string) {
    const connection = await this.connected();
    const { topics } = await connection.ask(metadataApi, 12, {
      topics: [{ name, topicId: "AAAAAAAAAAAAAAAAAAAAAA" as Uuid }],
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    });
    const found = topics[0];
    if (found?.errorCode === ErrorCode.NONE) return found;
    if (found?.errorCode !== ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) this.refused(found?.errorCode);
    return null;
  }

  private refused(errorCode: number | undefined): void {
    refused(this.world, this.name, errorCode);
  }

  private async changeName(name: Name): Promise<void> {
    if (name.life === undefined || this.isToBeLookedUp(name)) return this.lookUp(name);
    const { life } = name;
    name.life = undefined;
    if (life === null) {
      const partitions = this.prng.between(1, 2);
      const topicId = await this.create(name.name, partitions, {});
      if (topicId === null && this.isHaunted(name)) return;
      if (topicId === null) this.world.defect(`${this.name}: ${name.name} is there already`);
      else name.life = this.life(name.name, topicId, partitions);
      return;
    }
    life.isDoomed = true;
    const connection = await this.connected();
    const { responses } = await connection.ask(deleteTopicsApi, 6, {
      topics: [{ name: null, topicId: life.topicId }],
      timeoutMs: TIMEOUT_MS,
    });
    const errorCode = responses[0]?.errorCode;
    const isGone = errorCode === ErrorCode.UNKNOWN_TOPIC_ID && this.isHaunted(name);
    if (errorCode !== ErrorCode.NONE && !isGone) return this.refused(errorCode);
    life.isDeleted = true;
    name.life = null;
  }

  private isHaunted({ hauntedUntilMs }: Name): boolean {
    return hauntedUntilMs > 0;
  }

  private isToBeLookedUp(name: Name): boolean {
    if (name.life === undefined) return true;
    return this.isHaunted(name) && this.world.time.nowMs >= name.hauntedUntilMs;
  }

  /** Learns what became of a change whose answer never came. */
  private async lookUp(name: Name): Promise<void> {
    const isFirst = name.life === undefined;
    if (isFirst) name.hauntedUntilMs = this.world.time.nowMs + HAUNTED_MS;
    const found = await this.topicNamed(name.name);
    if (!isFirst) name.hauntedUntilMs = 0;
    if (found === null) name.life = null;
    else {
      name.life = this.life(name.name, found.topicId, found.partitions.length);
      if (name.life.isDeleted) this.world.defect(`${name.name} came back after its deletion`);
    }
  }

  private async addPartition({ name, life }: Name): Promise<void> {
    if (life === null || life === undefined || life.partitions > 3) return;
    const count = life.partitions + 1;
    const connection = await this.connected();
    const { results } = await connection.ask(createPartitionsApi, 3, {
      topics: [{ name, count, assignments: null }],
      timeoutMs: TIMEOUT_MS,
      validateOnly: false,
    });
    const errorCode = results[0]?.errorCode;
    if (errorCode === ErrorCode.NONE) life.partitions = count;
    // An earlier attempt whose answer was lost has made them already.
    else if (errorCode !== ErrorCode.INVALID_PARTITIONS) this.refused(errorCode);
  }

  /** Every name is as it was acknowledged, whatever happened since. */
  private async checkMetadata(): Promise<void> {
    const before = this.names.map((name) => (this.isHaunted(name) ? undefined : name.life));
    const connection = await this.connected();
    const { topics } = await connection.ask(metadataApi, 12, {
      topics: null,
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    });
    for (const [index, { name }] of this.names.entries()) {
      const expected = before[index];
      if (expected === undefined) continue;
      const found = topics.find((topic) => topic.name === name);
      if (found?.topicId === expected?.topicId) continue;
      this.world.defect(`${this.name}: ${name} is not what was acknowledged`);
    }
    for (const { name, topicId } of this.world.standing.values()) {
      const found = topics.find((topic) => topic.name === name);
      if (found?.topicId !== topicId) this.world.defect(`${this.name}: ${name} is gone`);
    }
  }
}
