import type { Cluster } from "./cluster.ts";
import { BrokerError, isRetriable } from "./errors.ts";
import { retrying } from "./retry.ts";

/** Learns the partitions of topics, one attempt at a time for each. */
export class TopicLearner {
  private readonly underWay = new Set<string>();
  /** Topics whose partitions were known once. */
  private readonly learnt = new Set<string>();
  private isAbandoned = false;

  /**
   * @param unknownMs how long a topic may stay unknown, in milliseconds.
   * @param awayMs how long brokers may be away from a topic that was known, in milliseconds.
   */
  constructor(
    private readonly cluster: Cluster,
    private readonly unknownMs: number,
    private readonly awayMs: number,
  ) {}

  /** Resolves when the topic is known; null where that is under way. Rejects with ClientError. */
  learn(topic: string): Promise<void> | null {
    if (this.underWay.has(topic)) return null;
    this.underWay.add(topic);
    return this.ask(topic).finally(() => this.underWay.delete(topic));
  }

  /** What is under way ends with its next failure. */
  abandon(): void {
    this.isAbandoned = true;
  }

  /** A broker that is away may be back in time for records whose topic was known before. */
  private async ask(topic: string): Promise<void> {
    const deadline = performance.now() + (this.learnt.has(topic) ? this.awayMs : 0);
    for (;;) {
      try {
        await retrying(this.unknownMs, () => this.cluster.topic(topic));
        this.learnt.add(topic);
        return;
      } catch (error) {
        const isAway = !(error instanceof BrokerError) && isRetriable(error);
        if (!isAway || this.isAbandoned || performance.now() >= deadline) throw error;
      }
    }
  }
}
