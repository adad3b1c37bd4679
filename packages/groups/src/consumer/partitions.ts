import type { Uuid } from "@mantou/base";
import type { Assignment } from "../assignors/index.ts";
import { NO_PARTITIONS } from "../assignors/index.ts";

/** Partitions of topics as messages and records list them. */
export type PartitionList = readonly {
  readonly topicId: Uuid;
  readonly partitions: readonly number[];
}[];

export function toAssignment(list: PartitionList): Assignment {
  if (list.length === 0) return NO_PARTITIONS;
  const assignment = new Map<Uuid, readonly number[]>();
  for (const { topicId, partitions } of list) {
    if (partitions.length === 0) continue;
    const known = assignment.get(topicId) ?? [];
    const sorted = [...new Set([...known, ...partitions])].sort((a, b) => a - b);
    assignment.set(topicId, sorted);
  }
  return assignment;
}

export const toPartitionList = (
  assignment: Assignment,
): { topicId: Uuid; partitions: readonly number[] }[] =>
  Array.from(assignment, ([topicId, partitions]) => ({ topicId, partitions }));

export function isSameAssignment(a: Assignment, b: Assignment): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [topicId, left] of a) {
    const right = b.get(topicId);
    if (right === undefined || right.length !== left.length) return false;
    for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  }
  return true;
}

export function partitionCount(assignment: Assignment): number {
  let count = 0;
  for (const partitions of assignment.values()) count += partitions.length;
  return count;
}

/** Whether any of the listed partitions is in the assignment. */
export function touches(list: PartitionList, assignment: Assignment): boolean {
  if (assignment.size === 0) return false;
  for (const { topicId, partitions } of list) {
    const held = assignment.get(topicId);
    if (held !== undefined && partitions.some((partition) => held.includes(partition))) return true;
  }
  return false;
}

/** Whether all of the listed partitions are in the assignment. */
export function isWithin(list: PartitionList, assignment: Assignment): boolean {
  for (const { topicId, partitions } of list) {
    if (partitions.length === 0) continue;
    const held = assignment.get(topicId);
    if (held === undefined || !partitions.every((partition) => held.includes(partition))) {
      return false;
    }
  }
  return true;
}

/** Both together; neither is changed. */
export function union(a: Assignment, b: Assignment): Assignment {
  if (a.size === 0) return b;
  if (b.size === 0) return a;
  const joined = new Map(a);
  for (const [topicId, partitions] of b) {
    const known = joined.get(topicId) ?? [];
    joined.set(
      topicId,
      [...new Set([...known, ...partitions])].sort((x, y) => x - y),
    );
  }
  return joined;
}
