import type { Assignment, Assignor, AssignorMember, AssignorTopic } from "./assignor.ts";
import { inStableOrder } from "./assignor.ts";
import { assignHeterogeneous } from "./uniform-heterogeneous.ts";
import { assignHomogeneous } from "./uniform-homogeneous.ts";

/**
 * The default assignor of KIP-848: members hold as equal a number of partitions as their
 * subscriptions allow, keep what they had, and among equals get what is in their rack.
 */
export const uniformAssignor: Assignor = (members) => {
  if (members.length === 0) return new Map<string, Assignment>();
  const ordered = inStableOrder(members);
  const first = ordered[0] as AssignorMember;
  const same = ordered.every((member) => haveSameTopics(member.topics, first.topics));
  return same ? assignHomogeneous(ordered, first.topics) : assignHeterogeneous(ordered);
};

function haveSameTopics(a: readonly AssignorTopic[], b: readonly AssignorTopic[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  const ids = new Set(a.map((topic) => topic.topicId));
  return b.every((topic) => ids.has(topic.topicId));
}
