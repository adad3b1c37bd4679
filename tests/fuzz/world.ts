import type { Prng, Uuid } from "@mantou/base";
import type { CatalogImage } from "@mantou/catalog";

export interface KnownTopic {
  readonly name: string;
  readonly id: Uuid;
  readonly partitions: number;
}

export interface KnownSession {
  readonly id: number;
  nextEpoch: number;
}

export interface KnownProducer {
  readonly id: number;
  readonly epoch: number;
  /** Next sequence by "topic/partition", as an honest producer counts. */
  readonly sequences: Map<string, number>;
}

const SESSIONS_KEPT = 16;
const PRODUCERS_KEPT = 8;

/** Names that exist nowhere, at first. */
const NEW_NAMES = ["new-a", "new.b", "new_b", "c", "x".repeat(249)];
const ODD_NAMES = [
  "",
  ".",
  "..",
  "a/b",
  "grüße",
  "y".repeat(250),
  "__consumer_offsets",
  "__transaction_state",
  "__cluster_metadata",
  "__proto__",
  "constructor",
  "\u0000",
  "a\nb",
];

/** What a client could know of the broker: the raw material of requests that get far. */
export class World {
  topics: KnownTopic[] = [];
  readonly sessions: KnownSession[] = [];
  readonly producers: KnownProducer[] = [];
  private revision = -1;

  constructor(private readonly prng: Prng) {}

  refresh(image: CatalogImage): void {
    if (image.revision === this.revision) return;
    this.revision = image.revision;
    this.topics = [...image.topicsByName.values()].map((topic) => ({
      name: topic.name,
      id: topic.topicId,
      partitions: topic.partitionCount,
    }));
  }

  topic(): KnownTopic | undefined {
    return this.topics.length === 0 ? undefined : this.prng.pick(this.topics);
  }

  topicName(): string {
    const { prng } = this;
    if (prng.chance(1, 24)) return prng.pick(ODD_NAMES);
    if (prng.chance(1, 8)) return prng.pick(NEW_NAMES);
    return this.topic()?.name ?? prng.pick(NEW_NAMES);
  }

  sessionOpened(id: number): void {
    if (this.sessions.some((session) => session.id === id)) return;
    if (this.sessions.length >= SESSIONS_KEPT) this.sessions.shift();
    this.sessions.push({ id, nextEpoch: 1 });
  }

  producerGiven(id: number, epoch: number): void {
    if (this.producers.length >= PRODUCERS_KEPT) this.producers.shift();
    this.producers.push({ id, epoch, sequences: new Map() });
  }
}
