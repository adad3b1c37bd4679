import type { Uuid } from "@mantou/base";
import { assert } from "@mantou/base";
import type { AssignorTopic } from "../assignors/index.ts";
import type { TopicsView } from "../context.ts";
import type { TopicPattern } from "../regex/index.ts";
import { compileTopicPattern } from "../regex/index.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { MemberMetadata } from "./member.ts";

/** A topic as assignors see it, and a number that differs where any of that differs. */
export interface TopicFacts extends AssignorTopic {
  readonly name: string;
  readonly hash: number;
}

/** No pattern matches these: who wants them names them. */
const INTERNAL_TOPICS = new Set([
  "__consumer_offsets",
  "__transaction_state",
  "__share_group_state",
]);

const TOPICS_MAX = 100_000;
/** Compiled patterns, and instructions of all of them: about 200 MB if each is as bad as it can be. */
const PATTERNS_MAX = 200;
const INSTRUCTIONS_TOTAL_MAX = 200_000;

/** What a shard has worked out about topics and patterns. All of it can be worked out again. */
export class TopicKnowledge {
  private readonly factsByName = new Map<string, TopicFacts>();
  private readonly patterns = new Map<string, TopicPattern>();
  private instructions = 0;

  /** Undefined where there is no such topic. */
  facts(view: TopicsView, name: string): TopicFacts | undefined {
    const topicId = view.idOf(name);
    if (topicId === undefined) return undefined;
    const known = this.factsByName.get(name);
    const partitionCount = view.partitionCount(name);
    if (known?.topicId === topicId && known.partitionCount === partitionCount) return known;
    const facts = factsOf(view, name, topicId, partitionCount);
    if (this.factsByName.size >= TOPICS_MAX) this.factsByName.clear();
    this.factsByName.set(name, facts);
    return facts;
  }

  /** Racks may have changed too, which is seen by nothing but reading them all again. */
  forget(name: string): void {
    this.factsByName.delete(name);
  }

  /** The error is a text for people. */
  pattern(source: string): ReturnType<typeof compileTopicPattern> {
    const known = this.patterns.get(source);
    if (known !== undefined) return { ok: true, value: known };
    const compiled = compileTopicPattern(source);
    if (!compiled.ok) return compiled;
    const { size } = compiled.value;
    if (this.patterns.size >= PATTERNS_MAX || this.instructions + size > INSTRUCTIONS_TOTAL_MAX) {
      this.patterns.clear();
      this.instructions = 0;
    }
    this.instructions += size;
    this.patterns.set(source, compiled.value);
    return compiled;
  }

  /** Names of the topics that there are which the pattern matches. */
  resolve(view: TopicsView, source: string): Set<string> {
    const pattern = this.pattern(source);
    // One that a later version accepted and we do not: it matches nothing until it is replaced.
    if (!pattern.ok) return new Set();
    const topics: string[] = [];
    for (const name of view.names()) {
      if (!INTERNAL_TOPICS.has(name) && pattern.value.matches(name)) topics.push(name);
    }
    return new Set(topics.sort());
  }

  matches(source: string, name: string): boolean {
    if (INTERNAL_TOPICS.has(name)) return false;
    const pattern = this.pattern(source);
    return pattern.ok && pattern.value.matches(name);
  }

  /** Of all topics that the group subscribes to and that exist. 0: none. */
  groupHash(view: TopicsView, group: ConsumerGroup): number {
    let [high, low] = [0, 0];
    for (const name of [...group.subscribedTopics()].sort()) {
      const facts = this.facts(view, name);
      if (facts === undefined) continue;
      low = mix(low, facts.hash % 0x1_0000_0000);
      high = mix(high, Math.floor(facts.hash / 0x1_0000_0000) ^ low);
    }
    return joined(high, low);
  }

  /** Topics that a member subscribes to and that exist, in the order of their names. */
  subscription(view: TopicsView, group: ConsumerGroup, metadata: MemberMetadata): TopicFacts[] {
    const topics: TopicFacts[] = [];
    for (const name of subscribedNames(group, metadata)) {
      const facts = this.facts(view, name);
      if (facts !== undefined) topics.push(facts);
    }
    return topics;
  }
}

/** Named and matched topics, whether they exist or not. */
export function subscribedNames(
  group: ConsumerGroup,
  { subscribedNames: names, subscribedRegex }: MemberMetadata,
): readonly string[] {
  const matched = subscribedRegex === "" ? undefined : group.regexes.get(subscribedRegex)?.topics;
  if (matched === undefined || matched.size === 0) return names;
  return [...new Set([...names, ...matched])].sort();
}

function factsOf(
  view: TopicsView,
  name: string,
  topicId: Uuid,
  partitionCount: number,
): TopicFacts {
  const racks: (readonly string[])[] = [];
  let anyRack = false;
  let [high, low] = [mixText(1, topicId), mixText(2, name)];
  low = mix(low, partitionCount);
  for (let partition = 0; partition < partitionCount; partition++) {
    const list = [...view.racksOf(name, partition)].sort();
    racks.push(list);
    if (list.length === 0) continue;
    anyRack = true;
    low = mix(low, partition);
    for (const rack of list) high = mixText(high, rack);
  }
  const hash = joined(mix(high, low), mix(low, high));
  assert(Number.isSafeInteger(hash), "a hash fits an exact number");
  return { topicId, partitionCount, racks: anyRack ? racks : null, name, hash };
}

/** One round of murmur3's mixing (public domain, Appleby). */
function mix(state: number, value: number): number {
  let k = Math.imul(value, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  let h = state ^ k;
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) >>> 0;
}

function mixText(state: number, text: string): number {
  let mixed = mix(state, text.length);
  for (let i = 0; i < text.length; i++) mixed = mix(mixed, text.charCodeAt(i));
  return mixed;
}

/** 52 bits, which every number of the log can hold. */
const joined = (high: number, low: number): number => (high >>> 12) * 0x1_0000_0000 + (low >>> 0);
