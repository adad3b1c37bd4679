import { assert } from "@mantou/base";
import type { ClassicMember, MemberProtocol } from "./classic-member.ts";
import { metadataBytes, sameBytes } from "./classic-member.ts";
import { CONSUMER_PROTOCOL_TYPE, readSubscribedTopics } from "./subscription.ts";

/**
 * Where a group stands. A group that is removed is gone from the shard: to whoever asks it is
 * what Kafka calls Dead.
 *
 * - Empty: no members; perhaps offsets. A join begins a round.
 * - PreparingRebalance: members are awaited. When all that are known have joined, or time is up,
 *   a generation begins: CompletingRebalance, or Empty where nobody came.
 * - CompletingRebalance: the leader divides the work. Its SyncGroup makes the group Stable; a
 *   member that comes, changes or goes begins a new round.
 * - Stable: everybody has an assignment. A member that comes, changes or goes begins a new round.
 */
export type ClassicState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable";

const ALLOWED: Record<ClassicState, readonly ClassicState[]> = {
  Empty: ["PreparingRebalance"],
  PreparingRebalance: ["CompletingRebalance", "Empty"],
  CompletingRebalance: ["Stable", "PreparingRebalance"],
  Stable: ["PreparingRebalance"],
};

/** A group of the classic protocol: what it is, and the rules that hold within it. */
export class ClassicGroup {
  readonly type = "classic";
  private current: ClassicState = "Empty";
  private previous: ClassicState = "Empty";
  /** Wall clock of the last change of state; -1 where an old record does not tell. */
  stateSinceMs: number;
  /** Null for a group that only has offsets. */
  protocolType: string | null = null;
  /** Chosen for the generation; null while the group is empty. */
  protocolName: string | null = null;
  generationId = 0;
  leaderId: string | null = null;
  readonly members = new Map<string, ClassicMember>();
  /** Members that were given an id and have yet to join with it. */
  readonly pendingMembers = new Set<string>();
  /** Members of the generation whose SyncGroup has not come. */
  readonly pendingSync = new Set<string>();
  /** Whether a member came while an empty group waited for its first ones. */
  memberCame = false;
  /** Whether the timer is set that ends the wait for members. */
  isJoinTimed = false;
  /** Whether the partition has a record of the group. */
  isWritten = false;
  /** Topics of the generation's members; null where that is not known. */
  private topics: ReadonlySet<string> | null = null;
  private readonly memberIdByInstance = new Map<string, string>();
  /** How many members know each protocol. */
  private readonly supporters = new Map<string, number>();
  private joining = 0;
  private metadataTotal = 0;

  constructor(
    readonly groupId: string,
    nowWallMs: number,
  ) {
    this.stateSinceMs = nowWallMs;
  }

  get state(): ClassicState {
    return this.current;
  }

  /** The state before the present one: what a round began from. */
  get stateBefore(): ClassicState {
    return this.previous;
  }

  /** Members whose JoinGroup waits. */
  get joiningCount(): number {
    return this.joining;
  }

  /** Bytes that the members say of their protocols. */
  get metadataBytes(): number {
    return this.metadataTotal;
  }

  get canRebalance(): boolean {
    return this.current !== "PreparingRebalance";
  }

  get hasEverybodyJoined(): boolean {
    return this.joining === this.members.size && this.pendingMembers.size === 0;
  }

  get speaksConsumer(): boolean {
    return this.protocolType === CONSUMER_PROTOCOL_TYPE;
  }

  /** A group without a protocol type was made by a commit: nobody ever joined it. */
  get isSimple(): boolean {
    return this.protocolType === null;
  }

  /** Of a round: the longest that any member asks for. */
  get rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const member of this.members.values()) {
      longest = Math.max(longest, member.rebalanceTimeoutMs);
    }
    return longest;
  }

  transitionTo(state: ClassicState, nowWallMs: number): void {
    assert(ALLOWED[this.current].includes(state), `a group goes from ${this.current} to ${state}`);
    this.previous = this.current;
    this.current = state;
    this.stateSinceMs = nowWallMs;
  }

  /** Takes the group to where a record or another protocol left it. */
  restore(state: "Empty" | "Stable", stateSinceMs: number): void {
    this.current = state;
    this.previous = state;
    this.stateSinceMs = stateSinceMs;
    this.topics = this.readTopics();
  }

  memberIdOf(groupInstanceId: string): string | undefined {
    return this.memberIdByInstance.get(groupInstanceId);
  }

  add(member: ClassicMember, protocolType: string): void {
    assert(!this.members.has(member.memberId), "a member joins once");
    if (this.members.size === 0) this.protocolType = protocolType;
    this.leaderId ??= member.memberId;
    this.members.set(member.memberId, member);
    this.count(member, 1);
    if (member.groupInstanceId !== null) {
      this.memberIdByInstance.set(member.groupInstanceId, member.memberId);
    }
    this.pendingMembers.delete(member.memberId);
  }

  /** Its parked requests must be answered before. */
  remove(member: ClassicMember): void {
    assert(member.join === null && member.sync === null, "who leaves is owed no answer");
    assert(this.members.delete(member.memberId), "who leaves is a member");
    this.count(member, -1);
    const instance = member.groupInstanceId;
    if (instance !== null && this.memberIdByInstance.get(instance) === member.memberId) {
      this.memberIdByInstance.delete(instance);
    }
    this.pendingSync.delete(member.memberId);
    if (this.leaderId === member.memberId) {
      const { value } = this.members.keys().next();
      this.leaderId = value ?? null;
    }
  }

  /** Puts a static member's new process into the place of the old one. */
  replace(old: ClassicMember, member: ClassicMember): void {
    const wasLeader = this.leaderId === old.memberId;
    const waitedForSync = this.pendingSync.has(old.memberId);
    this.remove(old);
    this.add(member, this.protocolType ?? "");
    if (wasLeader) this.leaderId = member.memberId;
    if (waitedForSync) this.pendingSync.add(member.memberId);
  }

  setProtocols(member: ClassicMember, protocols: readonly MemberProtocol[]): void {
    this.count(member, -1);
    member.protocols = protocols;
    this.count(member, 1);
  }

  private count(member: ClassicMember, by: 1 | -1): void {
    for (const { name } of member.protocols) {
      const supporters = (this.supporters.get(name) ?? 0) + by;
      if (supporters === 0) this.supporters.delete(name);
      else this.supporters.set(name, supporters);
    }
    this.metadataTotal += by * metadataBytes(member.protocols);
  }

  setJoin(member: ClassicMember, parked: ClassicMember["join"]): void {
    if (member.join === null && parked !== null) this.joining++;
    if (member.join !== null && parked === null) this.joining--;
    member.join = parked;
  }

  /** Whether a member with these protocols can be part of the group. */
  supports(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.current === "Empty") return protocolType !== "" && protocols.length > 0;
    if (this.protocolType !== protocolType) return false;
    // A round whose members have all gone takes whoever comes next.
    const all = this.members.size;
    if (all === 0) return protocols.length > 0;
    return protocols.some(({ name }) => this.supporters.get(name) === all);
  }

  /** The protocol that all know and most prefer; among equals the one voted for first. */
  selectProtocol(): string | null {
    const votes = new Map<string, number>();
    for (const member of this.members.values()) {
      const choice = member.protocols.find(
        ({ name }) => this.supporters.get(name) === this.members.size,
      );
      if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
    }
    let selected: string | null = null;
    let most = 0;
    for (const [name, count] of votes) {
      if (count > most) {
        selected = name;
        most = count;
      }
    }
    return selected;
  }

  /** Sees to it that the leader is one who has joined. @returns false where nobody has. */
  electLeader(): boolean {
    if (this.leaderId === null) return false;
    const leader = this.members.get(this.leaderId);
    if (leader !== undefined && leader.join !== null) return true;
    for (const member of this.members.values()) {
      if (member.join === null) continue;
      this.leaderId = member.memberId;
      return true;
    }
    return false;
  }

  beginGeneration(nowWallMs: number): void {
    // An int32 on the wire: the round after the last begins anew.
    this.generationId = this.generationId === 0x7fff_ffff ? 1 : this.generationId + 1;
    assert(this.pendingSync.size === 0, "a round begins with nobody's sync awaited");
    if (this.members.size === 0) {
      this.protocolName = null;
      this.transitionTo("Empty", nowWallMs);
    } else {
      this.protocolName = this.selectProtocol();
      this.transitionTo("CompletingRebalance", nowWallMs);
    }
    this.topics = this.readTopics();
  }

  /**
   * Whether a member of the generation reads the topic. Where consumers say what cannot be read,
   * they may be reading anything.
   */
  isSubscribed(topic: string): boolean {
    return this.topics === null ? this.speaksConsumer : this.topics.has(topic);
  }

  /** Whether the topics of the members are known. */
  get knowsTopics(): boolean {
    return this.topics !== null;
  }

  private readTopics(): ReadonlySet<string> | null {
    if (!this.speaksConsumer) return null;
    const topics = new Set<string>();
    if (this.members.size === 0) return topics;
    if (this.protocolName === null) return null;
    let before: Uint8Array | null = null;
    for (const member of this.members.values()) {
      const metadata = member.metadataOf(this.protocolName);
      // Members of a group mostly say all the same: comparing is far cheaper than decoding.
      if (before !== null && sameBytes(before, metadata)) continue;
      before = metadata;
      const subscribed = readSubscribedTopics(metadata);
      if (subscribed === null) return null;
      for (const topic of subscribed) topics.add(topic);
    }
    return topics;
  }
}
