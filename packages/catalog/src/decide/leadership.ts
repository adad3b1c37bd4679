import type { CatalogImage } from "../image.ts";
import { LEADER_UNCHANGED, NO_LEADER, type RecordOf } from "../records.ts";
import type { TopicImage } from "../topic-image.ts";

/** What becomes of one partition: its new leader (or `LEADER_UNCHANGED`) and in-sync set. */
interface Outcome {
  readonly leader: number;
  readonly isr: readonly number[];
}

interface Group {
  readonly outcome: Outcome;
  readonly partitions: number[];
}

/**
 * A broker is gone: others lead what it led, and it is in sync nowhere, except where it is the
 * last that is. There the partition has no leader until it comes back.
 */
export function leadershipWithout(
  image: CatalogImage,
  nodeId: number,
): RecordOf<"partitionChange">[] {
  const leaderless: Outcome = { leader: NO_LEADER, isr: [nodeId] };
  return changesOf(image, (topic, partition) => {
    if (!topic.isInSync(partition, nodeId)) return null;
    if (topic.isrSize(partition) === 1 && topic.leaderOf(partition) === nodeId) return leaderless;
    const others = topic.isrOf(partition).filter((node) => node !== nodeId);
    const isr = others.length > 0 ? others : [nodeId];
    if (topic.leaderOf(partition) !== nodeId) return { leader: LEADER_UNCHANGED, isr };
    const candidates = topic.replicasOf(partition).filter((node) => others.includes(node));
    return { leader: candidates.find((node) => image.isAlive(node)) ?? NO_LEADER, isr };
  });
}

/** A broker is back: it leads what nobody leads and for which it is in sync. */
export function leadershipWith(image: CatalogImage, nodeId: number): RecordOf<"partitionChange">[] {
  const alone: Outcome = { leader: nodeId, isr: [nodeId] };
  return changesOf(image, (topic, partition) => {
    const waits = topic.leaderOf(partition) === NO_LEADER && topic.isInSync(partition, nodeId);
    if (!waits) return null;
    if (topic.isrSize(partition) === 1) return alone;
    return { leader: nodeId, isr: topic.isrOf(partition) };
  });
}

/** One record for all partitions of a topic that change alike: one a topic on a single node. */
function changesOf(
  image: CatalogImage,
  decide: (topic: TopicImage, partition: number) => Outcome | null,
): RecordOf<"partitionChange">[] {
  const records: RecordOf<"partitionChange">[] = [];
  for (const topic of image.topicsByName.values()) {
    const groups = new Map<string, Group>();
    let last: Group | undefined;
    for (let partition = 0; partition < topic.partitionCount; partition += 1) {
      const outcome = decide(topic, partition);
      if (outcome === null) continue;
      // A cluster of one gives the same outcome over and over.
      if (last?.outcome !== outcome) {
        const key = `${outcome.leader}/${outcome.isr.join(",")}`;
        last = groups.get(key) ?? { outcome, partitions: [] };
        groups.set(key, last);
      }
      last.partitions.push(partition);
    }
    for (const { outcome, partitions } of groups.values()) {
      records.push({
        kind: "partitionChange",
        topicId: topic.topicId,
        partitions: Int32Array.from(partitions),
        leader: outcome.leader,
        isr: Int32Array.from(outcome.isr),
      });
    }
  }
  return records;
}
