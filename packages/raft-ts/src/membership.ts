import { assert } from "@mantou/base";
import type { Entry, Membership, NodeId } from "./types.ts";

/** Members of one cluster, voters and learners together. Bounds what a config entry may claim. */
export const MEMBERS_MAX = 4_096;

const FORMAT = 1;
const HEADER_BYTES = 5;

export const emptyMembership: Membership = { voters: [], learners: [] };

/** Sorts, so that equal memberships have equal bytes. */
export function membership(voters: readonly NodeId[], learners: readonly NodeId[]): Membership {
  return {
    voters: [...voters].sort((a, b) => a - b),
    learners: [...learners].sort((a, b) => a - b),
  };
}

/** Everyone but `self`: whom a leader sends its log to. */
export function peersOf(members: Membership, self: NodeId): NodeId[] {
  return [...members.voters, ...members.learners].filter((id) => id !== self);
}

/**
 * The data of a config entry, big endian: format u8 (1), voters u16, learners u16, then the ids of
 * the voters and of the learners, u32 each, ascending.
 */
export function encodeMembership(members: Membership): Uint8Array {
  const ids = [...members.voters, ...members.learners];
  assert(ids.length <= MEMBERS_MAX, "the membership is bounded");
  const bytes = new Uint8Array(HEADER_BYTES + 4 * ids.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FORMAT);
  view.setUint16(1, members.voters.length);
  view.setUint16(3, members.learners.length);
  for (const [at, id] of ids.entries()) view.setUint32(HEADER_BYTES + 4 * at, id);
  return bytes;
}

/** Null when the bytes are no membership: they come from the wire or a disk. */
export function decodeMembership(bytes: Uint8Array): Membership | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const votersCount = view.getUint16(1);
  const count = votersCount + view.getUint16(3);
  if (view.getUint8(0) !== FORMAT || count > MEMBERS_MAX) return null;
  if (bytes.length !== HEADER_BYTES + 4 * count) return null;
  const ids = Array.from({ length: count }, (_, at) => view.getUint32(HEADER_BYTES + 4 * at));
  const members = { voters: ids.slice(0, votersCount), learners: ids.slice(votersCount) };
  return isMembership(members) ? members : null;
}

/** Ascending, disjoint, at least one voter. */
export function isMembership(members: Membership): boolean {
  const { voters, learners } = members;
  if (voters.length === 0 || voters.length + learners.length > MEMBERS_MAX) return false;
  return isAscending(voters) && isAscending(learners) && !learners.some((l) => voters.includes(l));
}

const isAscending = (ids: readonly NodeId[]): boolean =>
  ids.every((id, at) => isNodeId(id) && (at === 0 || (ids[at - 1] as NodeId) < id));

export const isNodeId = (id: NodeId): boolean => Number.isInteger(id) && id >= 0 && id < 2 ** 31;

/**
 * Which membership holds from which index on. A config entry counts from the moment it is in the
 * log, committed or not (thesis section 4.1), so a truncation brings an earlier one back.
 */
export class Memberships {
  private steps: { readonly index: number; readonly membership: Membership }[];

  constructor(index: number, base: Membership) {
    this.steps = [{ index, membership: base }];
  }

  get latest(): Membership {
    return (this.steps.at(-1) as { membership: Membership }).membership;
  }

  /** Where the latest one entered the log; a base's index if it came with a snapshot. */
  get latestIndex(): number {
    return (this.steps.at(-1) as { index: number }).index;
  }

  /** The one before the latest, or the latest if none is known. */
  get previous(): Membership {
    return (this.steps.at(-2) ?? (this.steps[0] as { membership: Membership })).membership;
  }

  /** The one that holds at an index at or above the base. */
  at(index: number): Membership {
    const step = this.steps.findLast((candidate) => candidate.index <= index);
    assert(step !== undefined, "the index is not below the base");
    return step.membership;
  }

  /** Takes note of the config entries among those that were appended. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind !== "config") continue;
      const members = decodeMembership(entry.data);
      assert(members !== null, "config entries were checked on arrival");
      assert(entry.index > this.latestIndex, "memberships follow each other");
      this.steps.push({ index: entry.index, membership: members });
    }
  }

  truncateFrom(index: number): void {
    while (this.latestIndex >= index && this.steps.length > 1) this.steps.pop();
  }

  compactTo(index: number): void {
    while (this.steps.length > 1 && (this.steps[1] as { index: number }).index <= index) {
      this.steps.shift();
    }
  }

  reset(index: number, base: Membership): void {
    this.steps = [{ index, membership: base }];
  }
}
