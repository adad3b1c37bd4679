import type { Scope } from "../scope.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import { Journal } from "./journal.ts";
import { bumpEpoch } from "./target.ts";

const FEW_NAMES = 16;

/**
 * Topics came, went, grew or moved. Patterns are matched with them, and each group whose
 * subscribed topics are not what they were gets a new epoch; its target follows with the next
 * heartbeat, so that changes that come together are served by one computation.
 */
export function topicsChanged(scope: Scope, names: readonly string[]): void {
  const changed = new Set(names);
  for (const name of names) scope.topicKnowledge.forget(name);
  for (const group of scope.groups.values()) {
    if (!(group instanceof ConsumerGroup) || group.size === 0) continue;
    const journal = new Journal(scope, group);
    let isChanged = false;
    for (const source of [...group.regexesInUse]) {
      if (rematch(scope, journal, source, names)) isChanged = true;
    }
    const isTouched = isSubscribedToAny(group, changed);
    if (isChanged || (isTouched && hasOtherTopics(scope, group))) bumpEpoch(scope, journal);
    journal.flush();
  }
}

/** Looks through whichever of the two is shorter: a broker that starts tells of all topics. */
function isSubscribedToAny(group: ConsumerGroup, names: ReadonlySet<string>): boolean {
  if (names.size <= FEW_NAMES) {
    for (const name of names) if (group.isSubscribed(name)) return true;
    return false;
  }
  for (const name of group.subscribedTopics()) if (names.has(name)) return true;
  return false;
}

/** Matches a pattern with what changed. Whether it now matches other topics. */
function rematch(
  scope: Scope,
  journal: Journal,
  source: string,
  names: readonly string[],
): boolean {
  const before = journal.group.regexes.get(source)?.topics ?? new Set<string>();
  const topics = new Set(before);
  for (const name of names) {
    const { topics: view } = scope.context;
    const isMatch = view.exists(name) && scope.topicKnowledge.matches(source, name);
    if (isMatch) topics.add(name);
    else topics.delete(name);
  }
  if (isSameSet(before, topics)) return false;
  journal.setRegex(source, topics);
  return true;
}

/** All of the group at once: after a load nobody knows what changed meanwhile. */
export function refreshGroup(scope: Scope, group: ConsumerGroup): void {
  if (group.size === 0) return;
  const journal = new Journal(scope, group);
  let isChanged = false;
  for (const source of [...group.regexesInUse]) {
    const topics = scope.topicKnowledge.resolve(scope.context.topics, source);
    const before = group.regexes.get(source)?.topics;
    if (before !== undefined && isSameSet(before, topics)) continue;
    journal.setRegex(source, topics);
    isChanged = true;
  }
  if (isChanged || hasOtherTopics(scope, group)) bumpEpoch(scope, journal);
  journal.flush();
}

const hasOtherTopics = (scope: Scope, group: ConsumerGroup): boolean =>
  scope.topicKnowledge.groupHash(scope.context.topics, group) !== group.metadataHash;

function isSameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false;
  for (const name of a) if (!b.has(name)) return false;
  return true;
}
