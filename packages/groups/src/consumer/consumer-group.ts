import type { Uuid } from "@mantou/base";
import type { Assignment } from "../assignors/index.ts";
import { NO_PARTITIONS } from "../assignors/index.ts";
import type { ConsumerMember, MemberCurrent, MemberMetadata } from "./member.ts";
import { MemberState, NEW_MEMBER, UNKNOWN_METADATA, metadataBytes } from "./member.ts";

/** Topics that a pattern matched. */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>;
  readonly timestampMs: number;
}

interface Session {
  deadlineMs: number;
  armedMs: number;
}

export type ConsumerGroupState = "Empty" | "Assigning" | "Reconciling" | "Stable";

/**
 * A group of the consumer protocol (KIP-848). The methods that change it take what one record
 * says: a step that writes the record and a replay that reads it call the same ones.
 *
 * Empty: no member. Assigning: the group's epoch is ahead of the target's, which is computed with
 * the next heartbeat. Reconciling: a member is not at the target yet. Stable: all are.
 */
export class ConsumerGroup {
  readonly type = "consumer";
  groupEpoch = 0;
  /** Of the subscribed topics: another one means that the target must be computed anew. */
  metadataHash = 0;
  targetEpoch = 0;
  /** When the target was computed, by the wall clock; 0: not known. */
  targetTimestampMs = 0;
  private readonly membersById = new Map<string, ConsumerMember>();
  private readonly memberIdByInstance = new Map<string, string>();
  private readonly targets = new Map<string, Assignment>();
  private readonly regexesBySource = new Map<string, ResolvedRegex>();
  /** Who holds each partition, by topic; no entry where nobody does. */
  private readonly owners = new Map<Uuid, Map<number, string>>();
  /** How many members subscribe to a name, or by a pattern. */
  private readonly nameCounts = new Map<string, number>();
  private readonly regexCounts = new Map<string, number>();
  private classicCount = 0;
  /** Classic members that were told to rejoin, and those that have yet to sync. Not in the log. */
  readonly awaitedJoins = new Set<string>();
  readonly awaitedSyncs = new Set<string>();
  /** When members' sessions end, monotonic, and when their timers fire, which is not later. */
  readonly sessions = new Map<string, Session>();
  private metadataTotal = 0;

  constructor(readonly groupId: string) {}

  /** Bytes that members say of themselves. */
  get metadataBytes(): number {
    return this.metadataTotal;
  }

  get size(): number {
    return this.membersById.size;
  }
  /** Members that speak the classic protocol. */
  get classicSize(): number {
    return this.classicCount;
  }
  get members(): ReadonlyMap<string, ConsumerMember> {
    return this.membersById;
  }
  get targetAssignments(): ReadonlyMap<string, Assignment> {
    return this.targets;
  }
  get regexes(): ReadonlyMap<string, ResolvedRegex> {
    return this.regexesBySource;
  }
  /** Patterns that members subscribe by. */
  get regexesInUse(): Iterable<string> {
    return this.regexCounts.keys();
  }
  get namesInUse(): Iterable<string> {
    return this.nameCounts.keys();
  }

  member(memberId: string): ConsumerMember | undefined {
    return this.membersById.get(memberId);
  }

  staticMember(instanceId: string): ConsumerMember | undefined {
    const memberId = this.memberIdByInstance.get(instanceId);
    return memberId === undefined ? undefined : this.membersById.get(memberId);
  }

  targetOf(memberId: string): Assignment {
    return this.targets.get(memberId) ?? NO_PARTITIONS;
  }

  ownerOf(topicId: Uuid, partition: number): string | undefined {
    return this.owners.get(topicId)?.get(partition);
  }

  /** Every partition that somebody holds, by topic. For checks and for describing. */
  *ownedPartitions(): Iterable<readonly [Uuid, number, string]> {
    for (const [topicId, byPartition] of this.owners) {
      for (const [partition, owner] of byPartition) yield [topicId, partition, owner];
    }
  }

  subscribesByName(topic: string): boolean {
    return this.nameCounts.has(topic);
  }

  isSubscribed(topic: string): boolean {
    if (this.nameCounts.has(topic)) return true;
    for (const regex of this.regexCounts.keys()) {
      if (this.regexesBySource.get(regex)?.topics.has(topic) === true) return true;
    }
    return false;
  }

  /** Names of all topics that any member subscribes to, whether they exist or not. */
  subscribedTopics(): Set<string> {
    const names = new Set(this.nameCounts.keys());
    for (const regex of this.regexCounts.keys()) {
      for (const topic of this.regexesBySource.get(regex)?.topics ?? []) names.add(topic);
    }
    return names;
  }

  usesRegex(regex: string): boolean {
    return this.regexCounts.has(regex);
  }

  isReconciled(member: ConsumerMember): boolean {
    return member.current.state === MemberState.STABLE && member.current.epoch === this.targetEpoch;
  }

  state(): ConsumerGroupState {
    if (this.membersById.size === 0) return "Empty";
    if (this.groupEpoch > this.targetEpoch) return "Assigning";
    for (const member of this.membersById.values()) {
      if (!this.isReconciled(member)) return "Reconciling";
    }
    return "Stable";
  }

  setEpoch(epoch: number, metadataHash: number): void {
    this.groupEpoch = epoch;
    this.metadataHash = metadataHash;
  }

  setTargetEpoch(epoch: number, timestampMs: number): void {
    this.targetEpoch = epoch;
    this.targetTimestampMs = timestampMs;
  }

  setTarget(memberId: string, target: Assignment | null): void {
    if (target === null) this.targets.delete(memberId);
    else this.targets.set(memberId, target);
  }

  setRegex(source: string, resolved: ResolvedRegex | null): void {
    if (resolved === null) this.regexesBySource.delete(source);
    else this.regexesBySource.set(source, resolved);
  }

  setMetadata(memberId: string, metadata: MemberMetadata): void {
    const before = this.membersById.get(memberId);
    if (before !== undefined) this.uncount(memberId, before.metadata);
    const current = before?.current ?? NEW_MEMBER;
    this.membersById.set(memberId, { memberId, metadata, current });
    for (const name of metadata.subscribedNames) count(this.nameCounts, name, 1);
    if (metadata.subscribedRegex !== "") count(this.regexCounts, metadata.subscribedRegex, 1);
    if (metadata.instanceId !== null) this.memberIdByInstance.set(metadata.instanceId, memberId);
    if (metadata.classic !== null) this.classicCount++;
    this.metadataTotal += metadataBytes(metadata);
  }

  /** Whoever had a partition before loses it: in a compacted log the record that freed it may be gone. */
  setCurrent(memberId: string, current: MemberCurrent | null): void {
    const before = this.membersById.get(memberId);
    if (before !== undefined) this.disown(memberId, before.current);
    if (current === null) {
      if (before !== undefined) this.membersById.set(memberId, { ...before, current: NEW_MEMBER });
      return;
    }
    // A log that was compacted may tell of the assignment before it tells of the member.
    if (before === undefined) this.setMetadata(memberId, UNKNOWN_METADATA);
    const { metadata } = this.membersById.get(memberId) as ConsumerMember;
    this.membersById.set(memberId, { memberId, metadata, current });
    this.own(memberId, current.assigned);
    this.own(memberId, current.revoking);
  }

  removeMember(memberId: string): void {
    const member = this.membersById.get(memberId);
    if (member === undefined) return;
    this.disown(memberId, member.current);
    this.uncount(memberId, member.metadata);
    this.membersById.delete(memberId);
  }

  private uncount(memberId: string, metadata: MemberMetadata): void {
    for (const name of metadata.subscribedNames) count(this.nameCounts, name, -1);
    if (metadata.subscribedRegex !== "") count(this.regexCounts, metadata.subscribedRegex, -1);
    if (metadata.classic !== null) this.classicCount--;
    this.metadataTotal -= metadataBytes(metadata);
    const { instanceId } = metadata;
    if (instanceId !== null && this.memberIdByInstance.get(instanceId) === memberId) {
      this.memberIdByInstance.delete(instanceId);
    }
  }

  private own(memberId: string, partitions: Assignment): void {
    for (const [topicId, list] of partitions) {
      let owners = this.owners.get(topicId);
      if (owners === undefined) {
        owners = new Map();
        this.owners.set(topicId, owners);
      }
      for (const partition of list) owners.set(partition, memberId);
    }
  }

  private disown(memberId: string, { assigned, revoking }: MemberCurrent): void {
    for (const partitions of [assigned, revoking]) {
      for (const [topicId, list] of partitions) {
        const owners = this.owners.get(topicId);
        if (owners === undefined) continue;
        for (const partition of list) {
          if (owners.get(partition) === memberId) owners.delete(partition);
        }
        if (owners.size === 0) this.owners.delete(topicId);
      }
    }
  }
}

function count(counts: Map<string, number>, key: string, change: number): void {
  const now = (counts.get(key) ?? 0) + change;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}
