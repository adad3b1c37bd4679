import type { Uuid } from "@mantou/base";
import type { Assignment } from "../assignors/index.ts";
import { NO_PARTITIONS } from "../assignors/index.ts";
import type { CurrentAssignmentValue, MemberMetadataValue } from "../records/consumer-records.ts";
import { toAssignment } from "./partitions.ts";

/** A static member that left for a while has this epoch: it keeps its partitions. */
export const STATIC_LEAVE_EPOCH = -2;
export const LEAVE_EPOCH = -1;

/** Where a member is on its way to the target; numbered as in the records. */
export const MemberState = {
  /** Has what the target of its epoch gives it. */
  STABLE: 0,
  /** Was told to give partitions up and has yet to say that it did. */
  UNREVOKED: 1,
  /** Has given up all it must, and waits for partitions that others still hold. */
  UNRELEASED: 2,
} as const;
export type MemberState = (typeof MemberState)[keyof typeof MemberState];

/** Of a member that speaks the classic protocol, through an online migration. */
export interface ClassicMetadata {
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly { readonly name: string; readonly metadata: Uint8Array }[];
}

/** What a member says of itself. Replaced whole. */
export interface MemberMetadata {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** Ascending, each once. */
  readonly subscribedNames: readonly string[];
  /** Empty: none. */
  readonly subscribedRegex: string;
  readonly rebalanceTimeoutMs: number;
  readonly serverAssignor: string | null;
  readonly classic: ClassicMetadata | null;
}

/** What a member holds. Replaced whole. */
export interface MemberCurrent {
  /** The epoch of the target that the member is at; 0: it has just come. */
  readonly epoch: number;
  /** The one before, accepted once more since the answer with the new one may be lost. */
  readonly previousEpoch: number;
  readonly state: MemberState;
  readonly assigned: Assignment;
  /** Told to be given up; nobody else gets them before the member says that it did. */
  readonly revoking: Assignment;
  /** The epoch at which the member got each of them: older commits are another owner's. */
  readonly since: HeldSince;
}

export type HeldSince = ReadonlyMap<Uuid, ReadonlyMap<number, number>>;

/** For partitions that are now held: the epoch known from `before`, or the one given. */
export function heldSince(
  held: readonly Assignment[],
  before: HeldSince,
  epoch: number,
): HeldSince {
  const since = new Map<Uuid, Map<number, number>>();
  for (const assignment of held) {
    for (const [topicId, partitions] of assignment) {
      const known = before.get(topicId);
      const epochs = since.get(topicId) ?? new Map<number, number>();
      for (const partition of partitions) epochs.set(partition, known?.get(partition) ?? epoch);
      since.set(topicId, epochs);
    }
  }
  return since;
}

export const NEW_MEMBER: MemberCurrent = {
  epoch: 0,
  previousEpoch: 0,
  state: MemberState.STABLE,
  assigned: NO_PARTITIONS,
  revoking: NO_PARTITIONS,
  since: new Map(),
};

export const UNKNOWN_METADATA: MemberMetadata = {
  instanceId: null,
  rackId: null,
  clientId: "",
  clientHost: "",
  subscribedNames: [],
  subscribedRegex: "",
  rebalanceTimeoutMs: -1,
  serverAssignor: null,
  classic: null,
};

export interface ConsumerMember {
  readonly memberId: string;
  readonly metadata: MemberMetadata;
  readonly current: MemberCurrent;
}

const MEMBER_COST_BYTES = 256;

/** About what a member costs us, so that a group can be held to a bound. */
export function metadataBytes({
  subscribedNames,
  subscribedRegex,
  classic,
}: MemberMetadata): number {
  let bytes = MEMBER_COST_BYTES + subscribedRegex.length;
  for (const name of subscribedNames) bytes += name.length + 2;
  for (const { name, metadata } of classic?.protocols ?? []) bytes += name.length + metadata.length;
  return bytes;
}

export const sortedNames = (names: readonly string[]): readonly string[] =>
  [...new Set(names)].sort();

export const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((name, i) => name === b[i]));

function sameClassic(a: ClassicMetadata | null, b: ClassicMetadata | null): boolean {
  if (a === b) return true;
  if (a === null || b === null || a.sessionTimeoutMs !== b.sessionTimeoutMs) return false;
  if (a.protocols.length !== b.protocols.length) return false;
  return a.protocols.every(({ name, metadata }, i) => {
    const other = b.protocols[i];
    if (other === undefined || other.name !== name) return false;
    if (other.metadata.length !== metadata.length) return false;
    return metadata.every((byte, at) => byte === other.metadata[at]);
  });
}

export const sameMetadata = (a: MemberMetadata, b: MemberMetadata): boolean =>
  a === b ||
  (a.instanceId === b.instanceId &&
    a.rackId === b.rackId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.subscribedRegex === b.subscribedRegex &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.serverAssignor === b.serverAssignor &&
    sameNames(a.subscribedNames, b.subscribedNames) &&
    sameClassic(a.classic, b.classic));

export const metadataToValue = (metadata: MemberMetadata): MemberMetadataValue => ({
  instanceId: metadata.instanceId,
  rackId: metadata.rackId,
  clientId: metadata.clientId,
  clientHost: metadata.clientHost,
  subscribedTopicNames: [...metadata.subscribedNames],
  subscribedTopicRegex: metadata.subscribedRegex,
  rebalanceTimeoutMs: metadata.rebalanceTimeoutMs,
  serverAssignor: metadata.serverAssignor,
  classicMemberMetadata:
    metadata.classic === null
      ? null
      : {
          sessionTimeoutMs: metadata.classic.sessionTimeoutMs,
          supportedProtocols: [...metadata.classic.protocols],
        },
});

export const metadataFromValue = (value: MemberMetadataValue): MemberMetadata => ({
  instanceId: value.instanceId,
  rackId: value.rackId,
  clientId: value.clientId,
  clientHost: value.clientHost,
  subscribedNames: sortedNames(value.subscribedTopicNames),
  subscribedRegex: value.subscribedTopicRegex ?? "",
  rebalanceTimeoutMs: value.rebalanceTimeoutMs,
  serverAssignor: value.serverAssignor,
  classic:
    value.classicMemberMetadata === null
      ? null
      : {
          sessionTimeoutMs: value.classicMemberMetadata.sessionTimeoutMs,
          protocols: value.classicMemberMetadata.supportedProtocols,
        },
});

/** Records of before Kafka 4.3 have none (KIP-1251). */
function writtenEpochs(value: CurrentAssignmentValue): HeldSince {
  const written = new Map<Uuid, Map<number, number>>();
  for (const list of [value.assignedPartitions, value.partitionsPendingRevocation]) {
    for (const { topicId, partitions, assignmentEpochs } of list) {
      const epochs = written.get(topicId) ?? new Map<number, number>();
      for (const [index, partition] of partitions.entries()) {
        const epoch = assignmentEpochs?.[index];
        if (epoch !== undefined) epochs.set(partition, epoch);
      }
      written.set(topicId, epochs);
    }
  }
  return written;
}

export function currentToValue(current: MemberCurrent): CurrentAssignmentValue {
  const listed = (assignment: Assignment): CurrentAssignmentValue["assignedPartitions"] =>
    Array.from(assignment, ([topicId, partitions]) => {
      const epochs = current.since.get(topicId);
      const assignmentEpochs = partitions.map(
        (partition) => epochs?.get(partition) ?? current.epoch,
      );
      return { topicId, partitions: [...partitions], assignmentEpochs };
    });
  return {
    memberEpoch: current.epoch,
    previousMemberEpoch: current.previousEpoch,
    state: current.state,
    assignedPartitions: listed(current.assigned),
    partitionsPendingRevocation: listed(current.revoking),
  };
}

/** A state that a later version wrote counts as unrevoked: the member has to say what it has. */
export function currentFromValue(value: CurrentAssignmentValue): MemberCurrent {
  const known = Object.values(MemberState).find((state) => state === value.state);
  const epoch = value.memberEpoch;
  const assigned = toAssignment(value.assignedPartitions);
  const revoking = toAssignment(value.partitionsPendingRevocation);
  return {
    epoch,
    previousEpoch: value.previousMemberEpoch,
    state: known ?? MemberState.UNREVOKED,
    assigned,
    revoking,
    since: heldSince([assigned, revoking], writtenEpochs(value), epoch),
  };
}
