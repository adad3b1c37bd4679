import type { Uuid } from "@mantou/base";

/** Partitions by topic; each list ascending, none empty. Never changed in place. */
export type Assignment = ReadonlyMap<Uuid, readonly number[]>;

export const NO_PARTITIONS: Assignment = new Map();

export interface AssignorTopic {
  readonly topicId: Uuid;
  readonly partitionCount: number;
  /** Racks that hold a replica, by partition. Null where no broker says its rack. */
  readonly racks: readonly (readonly string[])[] | null;
}

export interface AssignorMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  /** Subscribed topics that exist, each once. */
  readonly topics: readonly AssignorTopic[];
  /** What the last target gave the member; what no longer fits is ignored. */
  readonly previous: Assignment;
}

/**
 * Divides the partitions of all subscribed topics among the members: each partition goes to one
 * member that subscribes to its topic. Deterministic: the same members give the same answer in
 * whatever order they are listed.
 */
export type Assignor = (members: readonly AssignorMember[]) => Map<string, Assignment>;

/** Partitions in the making: `add` in any order, then `take`. */
export class AssignmentBuilder {
  private readonly topics = new Map<Uuid, number[]>();
  count = 0;

  add(topicId: Uuid, partition: number): void {
    const list = this.topics.get(topicId);
    if (list === undefined) this.topics.set(topicId, [partition]);
    else list.push(partition);
    this.count++;
  }

  take(): Assignment {
    for (const list of this.topics.values()) list.sort((a, b) => a - b);
    return this.topics;
  }
}

/**
 * Members in an order that outlives restarts of static members, whose ids change: by instance id
 * where there is one.
 */
export function inStableOrder(members: readonly AssignorMember[]): AssignorMember[] {
  const key = (member: AssignorMember): string => member.instanceId ?? member.memberId;
  return [...members].sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    if (left !== right) return left < right ? -1 : 1;
    return a.memberId < b.memberId ? -1 : 1;
  });
}

/** Whether a replica of the partition is in the member's rack; false where racks are unknown. */
export function isNear(member: AssignorMember, topic: AssignorTopic, partition: number): boolean {
  const { rackId } = member;
  if (rackId === null || topic.racks === null) return false;
  return topic.racks[partition]?.includes(rackId) ?? false;
}
